"""The main output of a wrapper: one file in ``$ARTIFACT_DIR``, echoed to standard output."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from aiops_wrappers.shown import shown

CAP_BYTES = 16 * 1024 * 1024


class Output:
    """A file that holds what was said, up to a cap, while all of it also goes to the log.

    Over the cap, or on a full disk, writing to the file stops with a line that says so; the log
    goes on, and keeps its own head and tail.
    """

    def __init__(self, folder: Path, name: str, *, cap_bytes: int = CAP_BYTES) -> None:
        # Before any code of the target runs, and never through a link that lies there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(folder / name, flags, 0o644)
        self._left = cap_bytes
        self._dropped = 0

    def say(self, line: str = "") -> None:
        """Adds one line of the wrapper's own, made safe to show."""
        self.write(shown(os.fsencode(line)).encode() + b"\n")

    def tell(self, line: str) -> None:
        """Adds one line that is safe to show already."""
        self.write(line.encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Adds ``data`` as it is."""
        _write_all(1, data)
        kept = data[: self._left]
        self._left -= len(kept)
        self._dropped += len(data) - len(kept)
        try:
            _write_all(self._fd, kept)
        except OSError:  # ENOSPC, EDQUOT, EFBIG: the job's result matters more than its copy
            self._dropped += len(kept)
            self._left = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._dropped:
            note = f"\n[{self._dropped} more bytes aren't in this file; see the job's log]\n"
            try:
                _write_all(self._fd, note.encode())
            except OSError:
                print(note, end="", flush=True)
        os.close(self._fd)


def say(line: str) -> None:
    """Prints one line of a wrapper's own, made safe to show."""
    print(shown(os.fsencode(line)))


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
