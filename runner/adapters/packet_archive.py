"""Whether a ``.tar.gz`` that somebody made is exactly what it has to be.

A hostile archive isn't parsed: what it has to unpack to is known to the byte, since the same files
always give the same archive, and a comparison has no links, no sparse members and no second member
of a name. What doesn't agree ends it, so it never unpacks more than that.
"""

import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_BLOCK = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS
# deflate, and no flag: no name, comment or extra field to put anything into (RFC 1952, 2.3)
_HEAD = b"\x1f\x8b\x08\x00"


def difference(archive: Path, members: Iterable[tuple[str, Path]]) -> str | None:
    """Where ``archive`` isn't what this program makes of ``members``; null: nowhere.

    Args:
        archive: Hostile input.
        members: Name in the archive, and the regular file that it has to hold, in their order.

    Raises:
        OSError: a file can't be read.
    """
    with _opened(archive) as file:
        if file.read(len(_HEAD)) != _HEAD:
            return "it isn't a plain gzip file"
        file.seek(0)
        unpacked = _Unpacked(file)
        try:
            for name, path in members:
                for block in _member(name, path):
                    if unpacked.take(len(block)) != block:
                        return f"it doesn't have {name} as it is"
            end = bytes(2 * tarfile.BLOCKSIZE)
            if unpacked.take(len(end) + 1) != end:
                return "it doesn't end where the packets do"
        except zlib.error as error:
            return f"it can't be unpacked: {error}"
        return None if unpacked.ended else "it isn't one whole gzip member and nothing after it"


def _member(name: str, path: Path) -> Iterator[bytes]:
    with _opened(path) as file:
        info = tarfile.TarInfo(name)
        info.size = os.fstat(file.fileno()).st_size
        info.mode = 0o644
        yield info.tobuf(tarfile.GNU_FORMAT)
        while block := file.read(_BLOCK):
            yield block
        yield bytes(-info.size % tarfile.BLOCKSIZE)


def _opened(path: Path) -> BinaryIO:
    return open(os.open(path, _OPEN), "rb")


class _Unpacked:
    """What a gzip file unpacks to, a bounded piece at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._zip = zlib.decompressobj(wbits=_GZIP)

    @property
    def ended(self) -> bool:
        """Whether the first gzip member is over and nothing follows it."""
        return self._zip.eof and not self._zip.unused_data and not self._file.read(1)

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes; fewer where it ends.

        Raises:
            zlib.error: it isn't gzip, or its checksum is wrong.
        """
        pieces = []
        while count and not self._zip.eof:
            packed = self._zip.unconsumed_tail or self._file.read(_BLOCK)
            piece = self._zip.decompress(packed, count)
            if not packed and not piece:
                break
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)
