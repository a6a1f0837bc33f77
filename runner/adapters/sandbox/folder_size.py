"""How much lies on the disk below a folder that a hostile process is writing to."""

import os
import sys
from pathlib import Path

_MAX_ENTRIES = 200_000
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
            started = os.times().elapsed
            self._bytes = allocated_bytes(self._folder)
            self._not_before = now + _REST * (os.times().elapsed - started)
        return self._bytes


def allocated_bytes(folder: Path, max_entries: int = _MAX_ENTRIES) -> int:
    """Bytes that files and folders below ``folder`` take up on the disk.

    Follows no link, and passes each folder by descriptor, so that one that is swapped for a link
    meanwhile leads nowhere. A sparse file counts as what it occupies.
    """
    total = entries = 0
    for _, folders, files, fd in os.fwalk(folder, onerror=None, follow_symlinks=False):
        for name in (*folders, *files):
            entries += 1
            if entries > max_entries:
                return sys.maxsize
            try:
                total += os.stat(name, dir_fd=fd, follow_symlinks=False).st_blocks * 512
            except OSError:  # gone meanwhile
                continue
            total += _ENTRY_BYTES
    return total
