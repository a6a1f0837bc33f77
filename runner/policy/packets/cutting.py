"""Which bytes of a patch go into which packet.

Cuts lie between files; where a file doesn't fit, between its hunks; and inside a hunk, at the end
of a line where there is one, only where the hunk alone is larger than a packet. The same patch
and the same room give the same pieces.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from runner.model.review import MAX_PACKETS, Cut, Piece, Section, Sliced
from runner.policy.packets.visible import LONGEST_ESCAPE, fitting, shown_size

_WINDOW = 1 << 20

Costs = Callable[[int, Section, bool], int]
"""How many bytes the frame takes for a piece: of which patch, of which section, not its first."""


class TooManyPacketsError(ValueError):
    """More packets than anybody reads."""


def lay_out(
    patches: Sequence[tuple[Sliced, Sequence[Section]]], room: int, costs: Costs
) -> tuple[Piece, ...]:
    """Every byte of every patch, in pieces, each in one packet.

    Args:
        patches: Each with its sections in the order in which they shall be read.
        room: What a packet has beside its own frame, in bytes.
        costs: What a piece's frame takes of it.

    Raises:
        TooManyPacketsError: more than ``MAX_PACKETS``.
    """
    layout = _Layout(room, costs)
    for number, (patch, sections) in enumerate(patches):
        for section in sections:
            layout.place(number, patch, section)
    return tuple(layout.pieces)


def size_shown(patch: Sliced, section: Section) -> int:
    """How many bytes the part of ``section`` that a reviewer sees has, as it is shown."""
    return _shown(patch, section, section.offset, section.opaque_from)


def stretches(patch: Sliced, start: int, end: int) -> Iterator[bytes]:
    """The bytes from ``start`` to ``end``, in runs that don't end within a character or CR LF."""
    while start < end:
        window = patch[start : min(end, start + _WINDOW)]
        if start + len(window) < end:
            window = window[: window.rfind(b"\n") + 1] or _without_partial_end(window)
        yield window
        start += len(window)


def _without_partial_end(window: bytes) -> bytes:
    cut = len(window) - 1
    while cut > len(window) - 4 and window[cut] & 0xC0 == 0x80:
        cut -= 1
    # no character has four bytes that go on: the last one belongs to none, and ends the run
    return window if window[cut] & 0xC0 == 0x80 else window[:cut]


def _shown(patch: Sliced, section: Section, start: int, end: int) -> int:
    if section.plain:
        return end - start
    return sum(shown_size(run) for run in stretches(patch, start, end))


class _Layout:
    def __init__(self, room: int, costs: Costs) -> None:
        self.pieces: list[Piece] = []
        self._room = room
        self._left = room
        self._packet = 0
        self._costs = costs

    def place(self, patch_number: int, patch: Sliced, section: Section) -> None:
        whole = Piece(
            patch_number,
            section.file,
            section.offset,
            section.opaque_from - section.offset,
            Cut.FILE,
            self._packet,
        )
        need = size_shown(patch, section) + self._costs(patch_number, section, False)
        if need <= self._room:
            self._add(whole, need)
        else:
            self._by_hunks(whole, patch, section)
        if section.opaque:
            offset, size = section.opaque_from, section.end - section.opaque_from
            self.pieces.append(
                replace(whole, offset=offset, size=size, cut=Cut.OPAQUE, packet=self._packet)
            )

    def _by_hunks(self, whole: Piece, patch: Sliced, section: Section) -> None:
        bounds = [section.offset, *section.hunks[1:], section.opaque_from]
        begin, need = section.offset, 0  # of the run of hunks that goes into one packet
        for start, end in pairwise(bounds):
            size = _shown(patch, section, start, end)
            if need and need + size <= self._left:
                need += size
                continue
            self._add_run(whole, begin, start, need)
            begin, need = start, size + self._costs(whole.patch, section, start != section.offset)
            if need > self._room:
                self._inside(replace(whole, offset=start, size=end - start), patch, section)
                need = 0
            elif need > self._left:
                self._next_packet()
        self._add_run(whole, begin, section.opaque_from, need)

    def _add_run(self, whole: Piece, begin: int, end: int, need: int) -> None:
        if need:
            self._add(replace(whole, offset=begin, size=end - begin, cut=Cut.HUNKS), need)

    def _inside(self, hunk: Piece, patch: Sliced, section: Section) -> None:
        start, end = hunk.offset, hunk.offset + hunk.size
        parts: list[Piece] = []
        while start < end:
            cost = self._costs(hunk.patch, section, start != section.offset)
            if self._left - cost < max(self._room // 4, LONGEST_ESCAPE):
                self._next_packet()
            room = self._left - cost
            size = fitting(patch[start : min(end, start + room + 4)], room)
            parts.append(
                replace(
                    hunk,
                    offset=start,
                    size=size,
                    cut=Cut.PARTIAL_HUNK,
                    packet=self._packet,
                    part=len(parts) + 1,
                    continued=start > hunk.offset and patch[start - 1 : start] != b"\n",
                )
            )
            self._left -= cost + shown_size(patch[start : start + size])
            start += size
        self.pieces += (replace(part, parts=len(parts)) for part in parts)

    def _add(self, piece: Piece, need: int) -> None:
        if need > self._left:
            self._next_packet()
        self.pieces.append(replace(piece, packet=self._packet))
        self._left -= need

    def _next_packet(self) -> None:
        self._packet += 1
        self._left = self._room
        if self._packet >= MAX_PACKETS:
            raise TooManyPacketsError(f"more than {MAX_PACKETS} packets")
