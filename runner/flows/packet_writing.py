"""Writes the packets of a range, and says in a manifest where each byte of its patches is."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from runner.adapters.packet_files import Archive, put
from runner.flows.range_reading import Contents
from runner.model.review import Cut, Manifest, Packet, Piece, Segment, Sliced
from runner.policy.packets.frames import Frame
from runner.policy.packets.manifest import OPAQUE_NAME
from runner.policy.packets.visible import shown

_BLOCK = 1 << 20


def write_packets(
    contents: Contents,
    pieces: tuple[Piece, ...],
    frame: Frame,
    packet_bytes: int,
    folder: Path,
    archive: Archive | None,
) -> Manifest:
    """Writes each packet, and ``opaque.patch`` with what no packet shows.

    Args:
        contents: What the range holds.
        pieces: Of all of it, packet by packet.
        frame: What stands around them.
        packet_bytes: The cap that the pieces were cut for.
        folder: Where; empty.
        archive: Gets the same files, if there is one.

    Raises:
        OSError: something couldn't be written.
    """
    patches = [patch for patch, _ in contents.patches]
    opaque_file = folder / OPAQUE_NAME
    with opaque_file.open("xb") as file:
        writer = _Writer(patches, frame, total=pieces[-1].packet + 1 if pieces else 0, opaque=file)
        for packet, content in writer.packets(pieces):
            put(folder, packet.name, content)
            if archive is not None:
                archive.add(packet.name, content)
    if not writer.opaque_size:
        opaque_file.unlink()
    elif archive is not None:
        archive.add_file(OPAQUE_NAME, opaque_file)
    overview = contents.overview
    return Manifest(
        range=overview.range,
        packet_bytes=packet_bytes,
        commits=overview.commits,
        patches=overview.parts,
        packets=tuple(writer.written),
        segments=tuple(writer.segments),
        opaque_sha256=writer.opaque_sha256.hexdigest() if writer.opaque_size else None,
        warnings=overview.warnings,
    )


class _Writer:
    def __init__(
        self, patches: Sequence[Sliced], frame: Frame, *, total: int, opaque: BinaryIO
    ) -> None:
        self.written: list[Packet] = []
        self.segments: list[Segment] = []
        self.opaque_size = 0
        self.opaque_sha256 = sha256()
        self._patches = patches
        self._frame = frame
        self._total = total
        self._opaque = opaque

    def packets(self, pieces: Iterable[Piece]) -> Iterator[tuple[Packet, bytes]]:
        """Each packet with its content."""
        width = max(3, len(str(self._total)))
        for number, group in groupby(pieces, key=lambda piece: piece.packet):
            name = f"packet_{number + 1:0{width}}.txt"
            content = self._content(name, number + 1, list(group))
            packet = Packet(name, len(content), sha256(content).hexdigest())
            self.written.append(packet)
            yield packet, content

    def _content(self, name: str, number: int, pieces: list[Piece]) -> bytes:
        filling: list[tuple[int, Piece, bytes]] = []
        segments: list[Segment] = []
        for piece in pieces:
            if piece.cut is Cut.OPAQUE:
                segments.append(self._put_away(piece))
                text = b""
            else:
                data = self._patches[piece.patch][piece.offset : piece.offset + piece.size]
                text = shown(data)
                segments.append(Segment(piece, sha256(data).hexdigest(), name, 0, len(text)))
            filling.append((len(self.segments) + len(segments), piece, text))
        content, places = self._frame.packet(number, self._total, filling)
        for segment, at in zip(segments, places, strict=True):
            placed = segment if segment.piece.cut is Cut.OPAQUE else _at(segment, at)
            self.segments.append(placed)
        return content

    def _put_away(self, piece: Piece) -> Segment:
        digest, at = sha256(), self.opaque_size
        end = piece.offset + piece.size
        for start in range(piece.offset, end, _BLOCK):
            block = self._patches[piece.patch][start : min(end, start + _BLOCK)]
            digest.update(block)
            self.opaque_sha256.update(block)
            self._opaque.write(block)
        self.opaque_size += piece.size
        return Segment(piece, digest.hexdigest(), OPAQUE_NAME, at, piece.size)


def _at(segment: Segment, at: int) -> Segment:
    return Segment(segment.piece, segment.sha256, segment.stored_in, at, segment.stored_size)
