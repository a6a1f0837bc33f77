"""One bare mirror: is a commit there and allowed, and what are its files.

A mirror has no remote, so nothing can be pushed from it, and no job sees it but for its object
store. It is fetched into under one lock, in a folder that no job sees either.
"""

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from runner.adapters.git import mirror_folder, refusals, remote
from runner.adapters.git.config import object_format_of
from runner.adapters.git.materialise import materialise
from runner.adapters.git.objects import ObjectReader
from runner.adapters.git.process import GitProcess
from runner.adapters.git.ranges import RangeReader
from runner.adapters.git.trees import tree_of
from runner.adapters.locks import locked
from runner.model.checkout import BuiltTree
from runner.model.ids import SHA_PATTERN

# So many packs make every look-up slow; one fetch makes one.
_PACKS = 50
_FULL_ID = re.compile(SHA_PATTERN.removesuffix("$") + r"\Z", re.ASCII)


class Mirror:
    """The mirror of one repository. Safe for threads; of processes, any number may use it."""

    def __init__(self, folder: Path, locks: Path, origin: remote.Remote, git: GitProcess) -> None:
        self.key = folder.name
        self.objects = folder / "objects"
        self._folder = folder
        self._fetch_lock = locks / f"mirror-{self.key}.fetch.lock"
        self._use_lock = locks / f"mirror-{self.key}.use.lock"
        self._origin = origin
        self._git = git
        self._turn = threading.RLock()
        self._reader: ObjectReader | None = None
        self._reader_of: os.stat_result | None = None
        self._known: dict[tuple[str, tuple[str, ...]], str] = {}

    def ensure_commit(
        self, sha: str, *, allowed_branches: tuple[str, ...], default_branch: str
    ) -> str:
        """The tree of commit ``sha``, which is now in the mirror and on an allowed branch.

        A positive answer holds for good in this process, and as long as the mirror lives if the
        mirror's own refs vouch for it: a branch that was rewritten since doesn't take it back.

        Args:
            sha: Full id, lower case.
            allowed_branches: Names or patterns (fnmatch on the full name). Of a repository
                given by its path, any ref or ``HEAD`` vouches where one of them is ``*``.
            default_branch: Named in the remedy.

        Raises:
            RefusedError: ``SHA_NOT_FOUND``, ``SHA_NOT_A_COMMIT``, ``SHA_NOT_ON_ALLOWED_BRANCH``,
                ``SHALLOW_REPOSITORY``, or ``CHECKOUT_REFUSED`` for what git's fsck refuses.
            UnavailableError: ``MIRROR_UNAVAILABLE``, ``GIT_…``.
            IntegrityError: ``OBJECT_CORRUPT``.
        """
        known = self._known.get((sha, allowed_branches))
        if known is not None and mirror_folder.is_kept(self._folder, sha):
            return known
        if not _FULL_ID.match(sha):
            raise refusals.not_found(sha)
        with self.hold(), self._turn:
            tree_id = self._vouched(sha, allowed_branches)
            if tree_id is None:
                with locked(self._fetch_lock, exclusive=True):
                    tree_id = self._vouched(sha, allowed_branches) or self._fetched(
                        sha, allowed_branches, default_branch
                    )
            mirror_folder.keep(self._folder, sha)
        self._known[sha, allowed_branches] = tree_id
        return tree_id

    def materialise(self, sha: str, folder: Path) -> BuiltTree:
        """Writes the commit's files and a git directory into ``folder``, which is empty.

        Afterwards it holds ``tree/``, ``git/`` and ``objects``, a link to the mirror's object
        store. Every object that was used has been hashed.

        Raises:
            RefusedError: ``CHECKOUT_REFUSED``: the tree can't or mustn't be written.
            IntegrityError: ``OBJECT_CORRUPT``.
            UnavailableError: ``DISK_FULL``, ``GIT_…``.
        """
        with self.hold(), self._turn:
            return materialise(
                self._objects(), sha, folder, objects=self.objects, refs=self._refs_for_jobs()
            )

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keeps the mirror from being evicted, for as long as the block runs."""
        with locked(self._use_lock, exclusive=False) as fd:
            os.utime(fd)
            yield

    def ranges(self, folder: Path, any_id: str) -> RangeReader:
        """What reads its ranges of commits; the caller holds the mirror meanwhile.

        Args:
            folder: Doesn't exist; becomes a repository that borrows the mirror's objects.
            any_id: An id of the repository.
        """
        return RangeReader(self._git, self.objects, folder, any_id)

    def drop_keep(self, sha: str) -> None:
        """Lets a later clean-up drop the commit; the next job on it is checked anew."""
        with locked(self._fetch_lock, exclusive=True):
            mirror_folder.drop_keep(self._folder, sha)
        for known in [known for known in self._known if known[0] == sha]:
            del self._known[known]

    def repack(self) -> None:
        """Puts all objects into one pack. Nothing is dropped: a checkout may need it still.

        Raises:
            UnavailableError: ``GIT_FAILED``, ``GIT_TIMEOUT``.
        """
        with self.hold(), locked(self._fetch_lock, exclusive=True):
            if mirror_folder.is_ready(self._folder):
                self._repack()

    def close(self) -> None:
        """Ends the git process that was kept; the mirror can be used again."""
        with self._turn:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _vouched(self, sha: str, allowed_branches: tuple[str, ...]) -> str | None:
        """The commit's tree, if the mirror has it and one of its refs vouches for it."""
        if not mirror_folder.is_ready(self._folder):
            return None
        reader = self._objects()
        kind = reader.kind(sha)
        if not kind:
            return None
        if kind != "commit":
            raise refusals.not_a_commit(sha, kind)
        return (
            tree_of(reader.body(sha, "commit"), sha)
            if self._is_reachable(sha, allowed_branches)
            else None
        )

    def _is_reachable(self, sha: str, allowed_branches: tuple[str, ...]) -> bool:
        vouching = self._refs(f"--contains={sha}", *self._vouching(allowed_branches))
        return any(
            not ref.startswith(remote.BRANCHES)
            or remote.is_allowed(ref.removeprefix(remote.BRANCHES), allowed_branches)
            for ref in vouching
        )

    def _vouching(self, allowed_branches: tuple[str, ...]) -> tuple[str, ...]:
        if self._origin.local and "*" in allowed_branches:
            return (remote.BRANCHES, remote.TAGS, remote.OTHER, remote.HEAD)
        return (remote.BRANCHES,)

    def _fetched(self, sha: str, allowed_branches: tuple[str, ...], default_branch: str) -> str:
        """Like ``_vouched``, after asking the remote; says what is wrong if it still isn't."""
        offered = self._origin.advertised()
        if not offered or len(next(iter(offered.values()))) != len(sha):
            raise refusals.not_found(sha)
        mirror_folder.prepare(self._folder, object_format_of(sha), self._origin.url)
        if self._origin.local and "*" in allowed_branches:
            rounds: tuple[bool, ...] = (False, True)
        else:
            rounds = (False,)
        for everything in rounds:
            refused_shallow = self._fetch(offered, allowed_branches, everything=everything)
            tree_id = self._vouched(sha, allowed_branches)
            if tree_id is not None:
                return tree_id
            if refused_shallow:
                raise refusals.shallow()
        if not self._objects().kind(sha):
            # Only to say which of two things is wrong: is it nowhere, or where it doesn't count?
            self._origin.fetch(self._folder, [sha])
            kind = self._objects().kind(sha)
            if not kind:
                raise refusals.not_found(sha)
            if kind != "commit":
                raise refusals.not_a_commit(sha, kind)
        raise refusals.not_allowed(sha, allowed_branches, default_branch)

    def _fetch(
        self, offered: dict[str, str], allowed_branches: tuple[str, ...], *, everything: bool
    ) -> bool:
        """Brings the mirror's refs up to date; whether some were left out as shallow.

        Git leaves those out with a warning and ends with 0 all the same.
        """
        names = {ref: remote.ours(ref, allowed_branches, everything=everything) for ref in offered}
        wanted = {ref: name for ref, name in names.items() if name is not None}
        present = self._refs(remote.BRANCHES, remote.TAGS, remote.OTHER, remote.HEAD)
        gone = remote.stale(present, wanted)
        if gone:
            lines = "".join(f"delete {ref}\n" for ref in gone).encode("utf-8", "surrogateescape")
            self._git.run("update-ref", "--stdin", git_dir=self._folder, input_bytes=lines)
        if not wanted:
            return False
        result = self._origin.fetch(
            self._folder, (f"+{ref}:{name}" for ref, name in wanted.items())
        )
        if result.exit_code != 0:
            raise remote.explain(result)
        if len(list((self.objects / "pack").glob("*.pack"))) > _PACKS:
            self._repack()
        return "shallow" in result.stderr and "not allowed" in result.stderr

    def _repack(self) -> None:
        self._git.run("repack", "-a", "-d", "-k", "-q", git_dir=self._folder)

    def _refs(self, *arguments: str) -> list[str]:
        result = self._git.run(
            "for-each-ref", "--format=%(refname)", *arguments, git_dir=self._folder
        )
        return result.stdout.decode("utf-8", "surrogateescape").splitlines()

    def _refs_for_jobs(self) -> list[tuple[str, str]]:
        """Branch tips and tags under the names that a clone would give them."""
        result = self._git.run(
            "for-each-ref",
            "--format=%(objectname) %(refname)",
            remote.BRANCHES,
            remote.TAGS,
            git_dir=self._folder,
        )
        lines = result.stdout.decode("utf-8", "surrogateescape").splitlines()
        pairs = (line.split(" ", 1) for line in lines)
        return [
            (ref.replace(remote.BRANCHES, "refs/remotes/origin/", 1), oid) for oid, ref in pairs
        ]

    def _objects(self) -> ObjectReader:
        """The process that reads objects; another one if it ended or the mirror was replaced."""
        stat = self.objects.stat()
        reader = self._reader
        same = self._reader_of is not None and os.path.samestat(stat, self._reader_of)
        if reader is None or not reader.alive or not same:
            self.close()
            reader = self._reader = ObjectReader(self._git, self._folder)
            self._reader_of = stat
        return reader
