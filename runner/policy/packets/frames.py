"""What stands around the data: in the bundle, and in each packet.

A line of the frame begins with ``#``, which no line of a patch does; a piece that begins in the
middle of a line, which may begin with anything, has a ``~`` before it. How much the frame says
depends on the room: its richest form that takes at most half of a packet.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from hashlib import sha256

from runner.model.review import (
    MIN_PACKET_BYTES,
    RANGE,
    Cut,
    PatchPart,
    Piece,
    ReviewFile,
    ReviewRange,
    Section,
)
from runner.policy.packets.contract import ANSWER, INSTRUCTIONS, REMINDER
from runner.policy.packets.visible import shown_text

_MOST = 9_999_999  # no count has more digits: room is reserved for so many
_PATH_BYTES = 300


class Style(Enum):
    """How much a frame says."""

    LISTED = auto()
    """Instructions, every changed file, where each segment is from."""
    FULL = auto()
    """The same; the changed files by their number and digest, for they are too many."""
    BRIEF = auto()
    """The range, and for each segment the number of its file."""
    TERSE = auto()
    """The number of each segment; the rest is in manifest.json."""


@dataclass(frozen=True)
class Overview:
    """What all packets of a range have in common."""

    range: ReviewRange
    commits: int
    parts: tuple[PatchPart, ...]
    warnings: tuple[str, ...] = ()

    @cached_property
    def listing(self) -> str:
        """Each changed file on a line of its own, with what is special about it."""
        return "".join(_listed(self.parts))

    @cached_property
    def listing_sha256(self) -> str:
        """Digest of ``listing``, by which packets without the list name it."""
        return sha256(self.listing.encode()).hexdigest()

    def file_of(self, piece: Piece) -> ReviewFile:
        """The changed file that ``piece`` is of."""
        return self.parts[piece.patch].files[piece.file]


@dataclass(frozen=True)
class Frame:
    """The frame of each packet.

    Attributes:
        overview: What it says of the range.
        style: How much it says.
    """

    overview: Overview
    style: Style

    @classmethod
    def for_packets_of(cls, overview: Overview, packet_bytes: int) -> "Frame":
        """The richest frame that leaves half of a packet to the data.

        Raises:
            ValueError: not even the tersest one leaves enough.
        """
        if packet_bytes < MIN_PACKET_BYTES:
            raise ValueError(f"got {packet_bytes} bytes, expected at least {MIN_PACKET_BYTES}")
        for style in Style:
            frame = cls(overview, style)
            dearest = 2 * _PATH_BYTES + 200 if style in (Style.LISTED, Style.FULL) else 260
            if style is Style.TERSE or frame.fixed_size + dearest <= packet_bytes // 2:
                break
        return frame

    @cached_property
    def fixed_size(self) -> int:
        """How many bytes a packet without segments has at most."""
        return len(self._head(_MOST, _MOST)) + len(self._tail(_MOST, _MOST))

    def cost(self, patch: int, section: Section, continued: bool) -> int:
        """How many bytes a segment's own frame takes at most."""
        worst = Piece(
            patch, section.file, _MOST, 0, Cut.PARTIAL_HUNK, 0, _MOST, _MOST, continued=continued
        )
        cost = len(self._begin(_MOST, worst)) + len(self._end(_MOST)) + len(b"~\n")
        if section.opaque:
            opaque = Piece(patch, section.file, _MOST, 10**15, Cut.OPAQUE, 0)
            cost += len(self._opaque(_MOST, opaque))
        return cost

    def packet(
        self, number: int, total: int, pieces: Sequence[tuple[int, Piece, bytes]]
    ) -> tuple[bytes, list[int]]:
        """One packet, and where in it the data of each piece begins.

        Args:
            number: Of the packet, from 1.
            total: How many there are.
            pieces: Number of the segment from 1, the piece, and its data as it is shown; an
                opaque piece's is empty.
        """
        return self._framed(self._head(number, total), self._tail(number, total), pieces)

    def bundle(self, pieces: Sequence[tuple[int, Piece, bytes]]) -> bytes:
        """All of a range in one text."""
        text, _ = self._framed(self._head(0, 0), self._tail(0, 0), pieces)
        return text

    def _framed(
        self, head: bytes, tail: bytes, pieces: Iterable[tuple[int, Piece, bytes]]
    ) -> tuple[bytes, list[int]]:
        out, size, places = [head], len(head), []
        for number, piece, data in pieces:
            if piece.cut is Cut.OPAQUE:
                lines = [self._opaque(number, piece)]
                places.append(0)
            else:
                begin = self._begin(number, piece)
                places.append(size + len(begin))
                ended = b"" if data.endswith(b"\n") else b"\n"
                lines = [begin, data, ended, self._end(number)]
            out += lines
            size += sum(map(len, lines))
        return b"".join((*out, tail)), places

    def _head(self, number: int, total: int) -> bytes:
        overview = self.overview
        if self.style is Style.TERSE:
            return b""
        what = f"REVIEW PACKET {number} of {total}" if total else "REVIEW BUNDLE"
        title = f"# {what}\n# range: {overview.range.text}\n"
        if self.style is Style.BRIEF:
            return title.encode()
        files = sum(len(part.files) for part in overview.parts)
        about = (
            f"# trees: {overview.range.base_tree}..{overview.range.head_tree}\n"
            f"# commits: {overview.commits}\n# changed files: {files}\n"
        )
        warned = "".join(f"# warning: {warning}\n" for warning in overview.warnings)
        listing = (
            overview.listing
            if self.style is Style.LISTED
            else f"#   too many to list here: CHANGED_FILES.txt, sha256 {overview.listing_sha256}\n"
        )
        return f"{title}{about}{warned}{listing}#\n{_frame(INSTRUCTIONS + ANSWER)}#\n".encode()

    def _tail(self, number: int, total: int) -> bytes:
        if self.style in (Style.TERSE, Style.BRIEF):
            return b""
        what = f"packet {number} of {total}" if total else "bundle"
        return f"#\n{_frame(REMINDER)}# end of {what}\n".encode()

    def _begin(self, number: int, piece: Piece) -> bytes:
        goes_on = "~" if piece.continued else ""
        if self.style is Style.TERSE:
            return f"#{number}\n{goes_on}".encode()
        of = f" {piece.part} of {piece.parts}" if piece.parts else ""
        where = f"file {piece.file + 1}" + (" of the commits in between" if piece.patch else "")
        if self.style is Style.BRIEF:
            return f"#begin segment {number}: {where}, {piece.cut}{of}\n{goes_on}".encode()
        path = _short(self.overview.file_of(piece).change.path)
        first = f"#begin segment {number}: {where}, {piece.cut}{of}, from byte {piece.offset}\n"
        return f"{first}#   {path}\n{goes_on}".encode()

    def _end(self, number: int) -> bytes:
        return b"" if self.style is Style.TERSE else f"#end segment {number}\n".encode()

    def _opaque(self, number: int, piece: Piece) -> bytes:
        if self.style is Style.TERSE:
            return f"#{number} opaque\n".encode()
        return (
            f"#segment {number}: file {piece.file + 1}, opaque: {piece.size} bytes of binary patch,"
            " not shown; a person has to look\n"
        ).encode()


def changed_files(overview: Overview) -> bytes:
    """The list of changed files by itself: ``CHANGED_FILES.txt``."""
    return overview.listing.encode()


def _listed(parts: Sequence[PatchPart]) -> Iterator[str]:
    for part in parts:
        if part.name != RANGE and part.files:
            yield "#   only in commits in between, by object id:\n"
        for number, file in enumerate(part.files, start=1):
            change = file.change
            mode = change.new_mode if change.old_mode == "000000" else change.old_mode
            if change.old_mode != change.new_mode and "000000" not in (
                change.old_mode,
                change.new_mode,
            ):
                mode = f"{change.old_mode}→{change.new_mode}"
            sizes = (
                f", {file.old_size} → {file.new_size} bytes"
                if (file.old_size, file.new_size) != (None, None)
                else ""
            )
            found = "".join(f" ⟦{kind}: {count}⟧" for kind, count in file.findings)
            special = f"[{', '.join(file.kinds)}{sizes}]{found}"
            # the name comes last, and the brackets are always there: no name can pass for them
            yield f"#   {number} {change.status} {mode} {special} {shown_text(change.path)}\n"


def _frame(text: str) -> str:
    return "".join(f"# {line}\n" if line else "#\n" for line in text.splitlines())


def _short(path: bytes) -> str:
    """``path`` as it is shown; its beginning, if that is long."""
    text = shown_text(path)
    if len(text.encode()) <= _PATH_BYTES:
        return text
    kept = text.encode()[: _PATH_BYTES - 20].decode("utf-8", "ignore")
    return f"{kept} … (see the list)"
