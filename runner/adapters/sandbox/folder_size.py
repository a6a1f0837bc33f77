"""How much lies on the disk below a folder that a hostile process is writing to."""

import os
import stat
import sys
import time
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ENTRY_BYTES = 512  # what a name and an inode cost at least, so that empty files aren't free
_REST = 5


class FolderSize:
    """Measures one folder now and then, never for more than a sixth of the time.

    Files that were unlinked while still open aren't found.
    """

    def __init__(self, folder: Path) -> None:
        """Takes the folder to measure."""
        self._folder = folder
        self._bytes = 0
        self._not_before = 0.0

    def measure(self, now: float) -> int:
        """Bytes allocated below the folder; the largest number if the entries are countless.

        Args:
            now: A monotonic time in seconds. Asked again too soon, the last answer is given.
        """
        if now >= self._not_before:
            started = time.monotonic()
            self._bytes = allocated_bytes(self._folder)
            self._not_before = now + _REST * (time.monotonic() - started)
        return self._bytes


def allocated_bytes(folder: Path, *, max_entries: int = 200_000, max_depth: int = 100) -> int:
    """Bytes that files and folders below ``folder`` take up on the disk.

    Follows no link, and passes each folder by descriptor, so that one that is swapped for a link
    meanwhile leads nowhere. A sparse file counts as what it occupies. More entries or levels than
    any build has count as the largest number.
    """
    total = entries = 0
    above = [os.open(folder, _FOLDER)]
    ahead = [_names(above[0])]
    try:
        while ahead:
            if not ahead[-1]:
                ahead.pop()
                os.close(above.pop())
                continue
            name = ahead[-1].pop()
            entries += 1
            if entries > max_entries or len(above) > max_depth:
                return sys.maxsize
            try:
                found = os.stat(name, dir_fd=above[-1], follow_symlinks=False)
                total += found.st_blocks * 512 + _ENTRY_BYTES
                if stat.S_ISDIR(found.st_mode):
                    above.append(os.open(name, _FOLDER, dir_fd=above[-1]))
                    ahead.append(_names(above[-1]))
            except OSError:  # gone meanwhile, or closed to us
                continue
    finally:
        for fd in above:
            os.close(fd)
    return total


def _names(fd: int) -> list[str]:
    """The names in a folder; none if it may not be listed."""
    try:
        return os.listdir(fd)
    except OSError:
        return []
