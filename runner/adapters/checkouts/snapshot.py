"""What every file of an entry looks like to ``lstat``, as bytes that can be compared.

The change time (``ctime``) is what makes this evidence: the kernel sets it at every change of
content, mode, owner, name or link count, and no call sets it back (inode(7)).
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from runner.model.shown import shown

_SHOWN = 200
_BLOCK = 4096


@dataclass(frozen=True)
class Snapshot:
    """One look at an entry.

    Attributes:
        records: For each path, in order: path, NUL, the numbers, newline. A path may hold a
            newline, but the NUL that ends it can't be in one.
        files: How many paths.
        size_bytes: What they take on a disk, about.
        newest_ns: The latest change time among them.
    """

    records: bytes
    files: int
    size_bytes: int
    newest_ns: int

    @property
    def sha256(self) -> str:
        """Digest of the records."""
        return hashlib.sha256(self.records).hexdigest()


def take(entry: Path) -> Snapshot:
    """Looks at everything below ``entry``; follows no link.

    Raises:
        OSError: something vanished meanwhile, or can't be looked at.
    """
    records: list[bytes] = []
    size = newest = 0
    root = os.fsencode(entry)
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(root, folder)) as found:
            names = sorted(found, key=_name)
        below = []
        for name in names:
            stat = name.stat(follow_symlinks=False)
            path = folder + name.name
            records.append(
                b"%b\0%d %o %d %d %d %d %d %d\n"
                % (
                    path,
                    stat.st_ino,
                    stat.st_mode,
                    stat.st_uid,
                    stat.st_gid,
                    stat.st_nlink,
                    stat.st_size,
                    stat.st_mtime_ns,
                    stat.st_ctime_ns,
                )
            )
            size += -(-stat.st_size // _BLOCK) * _BLOCK
            newest = max(newest, stat.st_ctime_ns)
            if name.is_dir(follow_symlinks=False):
                below.append(path + b"/")
        waiting.extend(reversed(below))
    return Snapshot(b"".join(records), len(records), size, newest)


def differing(before: bytes, after: bytes) -> tuple[bytes, ...]:
    """The paths whose records differ, or that only one of the two has, sorted."""
    if before == after:
        return ()
    one, other = _by_path(before), _by_path(after)
    return tuple(
        sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
    )


def as_text(paths: tuple[bytes, ...]) -> tuple[str, ...]:
    """Paths as text that is safe to show; after 200, how many more there are."""
    text = tuple(shown(path) for path in paths[:_SHOWN])
    more = len(paths) - _SHOWN
    return (*text, f"… and {more} more") if more > 0 else text


def _name(entry: os.DirEntry[bytes]) -> bytes:
    return entry.name


def _by_path(records: bytes) -> dict[bytes, bytes]:
    found = {}
    at = 0
    while at < len(records):
        middle = records.find(b"\0", at)
        end = records.find(b"\n", middle)
        if middle < 0 or end < 0:  # a snapshot that was cut short
            break
        found[records[at:middle]] = records[middle + 1 : end]
        at = end + 1
    return found
