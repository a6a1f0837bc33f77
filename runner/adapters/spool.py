"""Bytes that are too many for memory, kept in a file that goes when it is closed."""

import os
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

_BLOCK = 1 << 20


class Spool:
    """A file that can be written to and sliced like ``bytes``.

    Args:
        folder: Where there is room for it.

    Attributes:
        path: Where it lies until it is closed.

    Raises:
        OSError: no room; from ``write`` and ``write_at`` too.
    """

    def __init__(self, folder: Path) -> None:
        self._fd, name = tempfile.mkstemp(dir=folder, prefix="spool-")
        self.path = Path(name)
        self._size = 0

    def write(self, data: bytes) -> None:
        """Adds ``data`` at the end."""
        self.write_at(self._size, data)

    def write_at(self, offset: int, data: bytes) -> None:
        """Puts ``data`` at ``offset``, which may be behind the end."""
        view, at = memoryview(data), offset
        while view:
            count = os.pwrite(self._fd, view, at)
            view, at = view[count:], at + count
        self._size = max(self._size, at)

    def copy(self, source: "Spool", start: int, end: int) -> None:
        """Adds the bytes of ``source`` from ``start`` to ``end`` at the end."""
        for at in range(start, end, _BLOCK):
            self.write(source[at : min(end, at + _BLOCK)])

    def blocks(self) -> Iterator[bytes]:
        """All of it, from the beginning, in runs of at most 1 MiB."""
        for start in range(0, self._size, _BLOCK):
            yield self[start : start + _BLOCK]

    def sha256(self) -> str:
        """The digest of all of it."""
        digest = sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        return os.pread(self._fd, stop - start, start) if stop > start else b""

    def __len__(self) -> int:
        return self._size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)
        self.path.unlink(missing_ok=True)
