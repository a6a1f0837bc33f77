"""A commit's files on the disk, exactly as the commit has them, beside a git directory of ours.

Raw blobs: no filter, hook or attribute of the repository has a say. Every folder is made by us
and must be new, so no link that the tree holds is ever followed, whatever comes below its name.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runner.adapters.git.config import checkout_config, object_format_of
from runner.adapters.git.index import index_entry, index_file
from runner.adapters.git.objects import Found, ObjectReader
from runner.adapters.git.trees import (
    MODE_FOLDER,
    MODE_LINK,
    MODE_SCRIPT,
    MODE_SUBMODULE,
    Folder,
    list_tree,
    tree_of,
)
from runner.errors import RefusedError, UnavailableError
from runner.model.checkout import BuiltTree
from runner.model.shown import shown

GITFILE = b"gitdir: ../git\n"
ALTERNATES = b"../../objects\n"
MAX_ENTRIES = 2_000_000
# A repository of 100 KiB can name one big blob a million times; nothing real comes near this.
MAX_BYTES = 16 * 1024**3

# An index that is no newer than a file makes git compare that file's content at every status:
# see "racy git" in git's own documentation.
_INDEX_IS_NEWER_BY_S = 2

_NEW_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# The names are the repository's fault; the rest (a full disk …) isn't.
_IMPOSSIBLE = {errno.EEXIST, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}


def materialise(
    reader: ObjectReader,
    sha: str,
    folder: Path,
    *,
    objects: Path,
    refs: Sequence[tuple[str, str]],
    max_entries: int = MAX_ENTRIES,
    max_bytes: int = MAX_BYTES,
) -> BuiltTree:
    """Writes ``tree/``, ``git/`` and ``objects`` into ``folder``, which nobody else may write to.

    Args:
        reader: Of the mirror; what it says is hashed, not believed.
        sha: The commit.
        folder: Exists and is empty.
        objects: The mirror's object store.
        refs: ``(name, object id)`` of what git in the checkout shall know besides ``HEAD``.
        max_entries: With more, the tree is refused.
        max_bytes: With more in all files together, likewise.

    Raises:
        RefusedError: ``CHECKOUT_REFUSED``: the tree can't or mustn't be written.
        IntegrityError: ``OBJECT_CORRUPT``: the mirror holds something else than it says.
        UnavailableError: ``DISK_FULL``.
    """
    tree_id = tree_of(reader.body(sha, "commit"), sha)
    with reader.limited(), _named_faults():
        folders = list_tree(reader, tree_id, max_entries=max_entries)
        entries = _write_tree(reader, folders, folder / "tree", max_bytes)
        has_githooks = any(
            entry.name == b".githooks" and entry.mode == MODE_FOLDER for entry in folders[0].entries
        )
        _put(folder / "tree" / ".git", GITFILE)
        (folder / "objects").symlink_to(objects)
        _write_git_dir(folder / "git", sha, has_githooks=has_githooks, refs=refs)
        _write_index(folder / "git" / "index", index_file(entries, folders))
    return BuiltTree(
        sha=sha,
        tree_id=tree_id,
        files=sum(len(folder.entries) for folder in folders),
        has_githooks=has_githooks,
    )


def _within(blobs: Iterator[Found], max_bytes: int) -> Iterator[Found]:
    """``blobs``, as long as all of them together have at most ``max_bytes``."""
    total = 0
    for blob in blobs:
        total += blob.size
        if total > max_bytes:
            raise RefusedError(
                "CHECKOUT_REFUSED", f"the tree's files have more than {max_bytes} bytes"
            )
        yield blob


def _write_tree(
    reader: ObjectReader, folders: Sequence[Folder], root: Path, max_bytes: int
) -> dict[bytes, bytes]:
    """Writes all files; path → index entry of each."""
    oids = [
        entry.oid
        for folder in folders
        for entry in folder.entries
        if entry.mode not in (MODE_FOLDER, MODE_SUBMODULE)
    ]
    blobs = _within(iter(reader.each(oids)), max_bytes)
    _make_folder(root)
    indexed: dict[bytes, bytes] = {}
    for folder in folders:
        # Each part of the path was made by us, in this loop, and none of them is a link.
        folder_fd = os.open(os.path.join(os.fsencode(root), folder.path), _NEW_FOLDER)
        try:
            for entry in folder.entries:
                if entry.mode in (MODE_FOLDER, MODE_SUBMODULE):
                    _make_folder(entry.name, folder_fd)
                    if entry.mode == MODE_FOLDER:
                        continue
                elif entry.mode == MODE_LINK:
                    _write_link(reader, next(blobs), entry.name, folder_fd)
                else:
                    path = folder.path_of(entry)
                    mode = 0o755 if entry.mode == MODE_SCRIPT else 0o644
                    stat = _write_file(reader, next(blobs), entry.name, folder_fd, mode)
                    indexed[path] = index_entry(path, entry.mode, entry.oid, stat)
                    continue
                path = folder.path_of(entry)
                stat = os.stat(entry.name, dir_fd=folder_fd, follow_symlinks=False)
                indexed[path] = index_entry(path, entry.mode, entry.oid, stat)
        finally:
            os.close(folder_fd)
    for _ in blobs:
        raise AssertionError("every blob has its entry")
    return indexed


def _make_folder(name: bytes | Path, folder_fd: int | None = None) -> None:
    os.mkdir(name, 0o755, dir_fd=folder_fd)
    # Whatever the umask took away: jobs read it under another uid.
    os.chmod(name, 0o755, dir_fd=folder_fd)  # noqa: S103


def _write_file(
    reader: ObjectReader, blob: Found, name: bytes, folder_fd: int, mode: int
) -> os.stat_result:
    fd = os.open(name, _NEW_FILE, mode, dir_fd=folder_fd)
    try:
        for piece in reader.chunks(blob, "blob"):
            _write_all(fd, piece)
        stat = os.fstat(fd)
        if stat.st_mode & 0o7777 != mode:  # whatever the umask took away
            os.fchmod(fd, mode)
            stat = os.fstat(fd)
        return stat
    finally:
        os.close(fd)


def _write_link(reader: ObjectReader, blob: Found, name: bytes, folder_fd: int) -> None:
    target = reader.verified(blob, "blob")
    if not target or b"\0" in target:
        raise RefusedError("CHECKOUT_REFUSED", f"the link '{shown(name)}' leads to no name")
    os.symlink(target, name, dir_fd=folder_fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _write_git_dir(
    git_dir: Path, sha: str, *, has_githooks: bool, refs: Sequence[tuple[str, str]]
) -> None:
    """A git directory that lets a job read everything and that nobody else shares."""
    for part in ("", "refs", "objects", "objects/info", "objects/pack"):
        _make_folder(git_dir / part)
    _put(git_dir / "HEAD", f"{sha}\n".encode())
    _put(git_dir / "config", checkout_config(object_format_of(sha), has_githooks=has_githooks))
    _put(git_dir / "objects" / "info" / "alternates", ALTERNATES)
    lines = (f"{oid} {name}\n" for name, oid in sorted(refs))
    packed = "".join(("# pack-refs with: sorted \n", *lines))
    _put(git_dir / "packed-refs", packed.encode("utf-8", "surrogateescape"))


def _write_index(path: Path, content: bytes) -> None:
    _put(path, content)
    written = path.stat().st_mtime_ns
    newer = written + _INDEX_IS_NEWER_BY_S * 1_000_000_000
    os.utime(path, ns=(newer, newer))


def _put(path: Path, content: bytes) -> None:
    fd = os.open(path, _NEW_FILE, 0o644)
    try:
        os.fchmod(fd, 0o644)
        _write_all(fd, content)
    finally:
        os.close(fd)


@contextmanager
def _named_faults() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnavailableError("DISK_FULL", f"no space for the checkout: {error}") from error
        if error.errno in _IMPOSSIBLE:
            raise RefusedError("CHECKOUT_REFUSED", f"the tree can't be written: {error}") from error
        raise
