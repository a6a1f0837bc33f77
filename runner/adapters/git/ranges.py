"""A range of commits as git sees it, in a bare repository that nobody else has written to.

That repository borrows the objects of a mirror of ours and has nothing else: no index, no
attributes, no configuration but ours. So no ``-diff`` attribute, textconv, ``diff.*`` setting,
order file or replace object of the reviewed repository has any effect on what is shown
(gitattributes(5), *Marking files as binary*; git-diff(1)).
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from runner.adapters.git.config import mirror_config, object_format_of
from runner.adapters.git.process import GitProcess, GitResult
from runner.errors import ConfigurationError, RefusedError
from runner.model.review import EMPTY_TREE, ReviewRange

# A few folders that hold each other many times over list as more files than any memory has;
# half a million of the usual kind list as less than this.
_MOST_LISTED = 64 * 1024 * 1024
_FULL_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z", re.ASCII)
_SETTINGS = ("-c", "core.quotePath=true", "-c", "core.bigFileThreshold=512m")
_RAW = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--ignore-submodules=none")
PATCH_OPTIONS = (
    *("--binary", "--full-index", "--no-renames", "--no-ext-diff"),
    *("--no-textconv", "--no-color", "--no-relative", "--ignore-submodules=none"),
    *("--submodule=short", "-U3", "--inter-hunk-context=0", "--diff-algorithm=myers"),
    *("--no-indent-heuristic", "-O/dev/null", "--src-prefix=a/", "--dst-prefix=b/"),
)


class RangeReader:
    """Reads one repository's ranges.

    Args:
        git: Ours.
        objects: The object store of a mirror, or of a checkout: it is only read.
        folder: Doesn't exist; becomes the bare repository.
        any_id: An id of the repository; its length says which hash it uses.

    Attributes:
        git: What it reads with.
        empty_tree: The id of the tree without entries in this repository.
    """

    def __init__(self, git: GitProcess, objects: Path, folder: Path, any_id: str) -> None:
        self.git = git
        self._folder = folder
        self.empty_tree = EMPTY_TREE[len(any_id)]
        new_repository(folder, any_id, borrow=objects)

    def range(self, base: str | None, head: str) -> ReviewRange:
        """The range from ``base`` (null: from nothing) to ``head``, both full commit ids.

        Raises:
            ConfigurationError: ``RANGE_UNKNOWN``: one of them isn't a commit that is there;
                ``BASE_NOT_ANCESTOR``: the base isn't in the head's history.
            UnavailableError: ``GIT_…``.
        """
        head_tree = self._tree_of(head)
        if base is None:
            return ReviewRange(None, head, self.empty_tree, head_tree)
        base_tree = self._tree_of(base)
        answer = self._run("merge-base", "--is-ancestor", base, head, ok=(0, 1))
        if answer.exit_code:
            raise ConfigurationError(
                "BASE_NOT_ANCESTOR",
                f"{base} isn't in the history of {head}",
                remedy="take their merge base: git merge-base BASE HEAD",
            )
        return ReviewRange(base, head, base_tree, head_tree)

    def root_of(self, head: str) -> str:
        """The first commit of ``head``'s first-parent history."""
        output = self._run("rev-list", "--first-parent", "--max-parents=0", head).stdout
        return output.decode().split()[-1]

    def commits(self, span: ReviewRange) -> int:
        """How many commits the range has."""
        since = () if span.base is None else (f"^{span.base}",)
        return int(self._run("rev-list", "--count", span.head, *since, "--").stdout)

    def raw(self, from_tree: str, to_tree: str) -> bytes:
        """What changed, as ``git diff-tree --raw -z`` says it.

        git keeps all of it in memory first: of trees that nobody knows, ``only_in_between`` or
        ``listing`` goes before.
        """
        return self._run(*_SETTINGS, *_RAW, from_tree, to_tree, "--").stdout

    def patch(self, from_tree: str, to_tree: str) -> AbstractContextManager[Iterator[bytes]]:
        """The patch from one tree to another, as blocks of bytes while git writes it.

        Raises:
            UnavailableError: ``GIT_FAILED``, ``GIT_TIMEOUT``; at the end of the block.
        """
        command = (*_SETTINGS, "diff-tree", "-r", "-p", *PATCH_OPTIONS, from_tree, to_tree, "--")
        return self.git.stream(*command, git_dir=self._folder)

    def only_in_between(self, span: ReviewRange) -> tuple[str, ...]:
        """Blobs that commits of the range have, and neither its base nor its head; sorted.

        Raises:
            RefusedError: ``RANGE_TOO_LARGE``.
            UnavailableError: ``GIT_…``.
        """
        since = () if span.base is None else (f"^{span.base}",)
        listed = self._run(
            *("rev-list", "--objects", "--no-object-names", "--filter=object:type=blob"),
            *("--filter-provided-objects", span.head, *since, "--"),
        ).stdout
        blobs = set(listed.decode("ascii").split())
        return tuple(sorted(blobs - self._blobs(span.head_tree) - self._blobs(span.base_tree)))

    def tree_holding(self, blobs: Sequence[str]) -> str:
        """A tree that has each of ``blobs``, by its id, and nothing else."""
        if not blobs:
            return self.empty_tree
        lines = "".join(f"100644 blob {oid}\t{oid}\n" for oid in blobs).encode()
        return self._run("mktree", input_bytes=lines).stdout.decode().strip()

    def sizes(self, oids: Sequence[str]) -> dict[str, int]:
        """The size of each object in bytes; those that aren't there are left out."""
        lines = "".join(f"{oid}\n" for oid in oids).encode()
        answer = self._run(
            "cat-file", "--batch-check=%(objectname) %(objectsize)", input_bytes=lines
        )
        pairs = (line.split() for line in answer.stdout.decode().splitlines())
        return {oid: int(size) for oid, size in pairs if size.isdecimal()}

    def text_at(self, commit: str, path: str, *, max_bytes: int) -> bytes | None:
        """The content of a regular file of ``commit``; null where there is none, or too large."""
        entry = self._run("ls-tree", "-z", "--full-tree", commit, "--", path).stdout
        fields = entry.split(b"\t")[0].split()
        if len(fields) != 3 or not fields[0].startswith(b"100"):
            return None
        oid = fields[2].decode()
        if self.sizes([oid]).get(oid, max_bytes + 1) > max_bytes:
            return None
        return self._run("cat-file", "blob", oid).stdout

    def listing(self, tree: str) -> bytes:
        """Every entry of ``tree``, as ``git ls-tree -r -z`` says it.

        Raises:
            RefusedError: ``RANGE_TOO_LARGE``.
            UnavailableError: ``GIT_…``.
        """
        listed = bytearray()
        command = ("ls-tree", "-r", "-z", "--full-tree", tree)
        with self.git.stream(*command, git_dir=self._folder) as blocks:
            for block in blocks:
                listed += block
                if len(listed) > _MOST_LISTED:
                    raise RefusedError(
                        "RANGE_TOO_LARGE", f"the tree {tree} lists as over {_MOST_LISTED} bytes"
                    )
        return bytes(listed)

    def pack(self, oids: Sequence[str], folder: Path) -> Path:
        """A new file in ``folder``: a pack that holds exactly the objects ``oids``."""
        lines = "".join(f"{oid}\n" for oid in oids).encode()
        # git begins it in its own object store, and a job that Landlock confines may move no file
        # from one folder to another (landlock(7), LANDLOCK_ACCESS_FS_REFER): so it is copied
        own = self._folder / "objects" / "pack" / "lent"
        # no search for deltas, little compression: both would take longer than the rest of a proof
        packing = ("pack-objects", "-q", "--window=0", "--compression=1", str(own))
        name = self._run(*packing, input_bytes=lines).stdout.decode().strip()
        made = own.with_name(f"lent-{name}.pack")
        pack = folder / f"pack-{name}.pack"
        shutil.copyfile(made, pack)
        for suffix in (".pack", ".idx", ".rev"):
            made.with_suffix(suffix).unlink(missing_ok=True)
        return pack

    def _blobs(self, tree: str) -> set[str]:
        records = self.listing(tree).split(b"\0")
        return {record.split(b"\t", 1)[0].split()[2].decode() for record in records if record}

    def _tree_of(self, commit: str) -> str:
        # in a repository with longer ids, git would take a shorter one for the beginning of one
        if not _FULL_ID.match(commit) or len(commit) != len(self.empty_tree):
            raise ConfigurationError("RANGE_UNKNOWN", f"got {commit!r}, expected a full commit id")
        asked = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        kind = self._run("cat-file", "-t", commit, ok=(0, 128)).stdout.strip()
        if kind != b"commit":
            got = kind.decode() or "nothing"
            raise ConfigurationError(
                "RANGE_UNKNOWN", f"got {got} for {commit}, expected a commit of this repository"
            )
        return self._run(*asked, f"{commit}^{{tree}}").stdout.decode().strip()

    def _run(
        self, *arguments: str, input_bytes: bytes | None = None, ok: tuple[int, ...] = (0,)
    ) -> GitResult:
        return self.git.run(*arguments, git_dir=self._folder, input_bytes=input_bytes, ok=ok)


def new_repository(folder: Path, any_id: str, *, borrow: Path | None = None) -> None:
    """Makes a bare repository without refs at ``folder``, with the objects of ``borrow`` if any.

    Raises:
        OSError: it can't be made.
    """
    for part in ("", "refs", "objects", "objects/info", "objects/pack"):
        (folder / part).mkdir()
    (folder / "HEAD").write_bytes(b"ref: refs/heads/none\n")
    (folder / "config").write_bytes(mirror_config(object_format_of(any_id)))
    if borrow is not None:
        alternates = os.fsencode(borrow.resolve()) + b"\n"
        (folder / "objects" / "info" / "alternates").write_bytes(alternates)
