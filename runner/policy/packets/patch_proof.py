"""Is a patch that packets hold shown and cut as they say, and does git look at all of it?

``proof`` goes before: by then the segments are there, each once.
"""

import base64
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from runner.model.review import Change, Cut, Manifest, ReviewFile, Section, Sliced
from runner.policy.packets.raw_diff import NOTHING

_WINDOW = 1 << 16
_SIZES_BYTES = 20  # two numbers of at most 64 bits, seven to a byte


def wrongly_shown(
    manifest: Manifest, patch: int, sections: Sequence[Section], sizes: dict[int, int]
) -> Iterator[str]:
    """Whether exactly the binary parts are kept from the reader, and each file is named rightly.

    Args:
        manifest: The claim.
        patch: Which patch.
        sections: Of the patch that the packets hold.
        sizes: Of each file that is binary by git's own account, the larger content's.
    """
    pieces = iter(
        sorted(
            (s.piece for s in manifest.segments if s.piece.patch == patch),
            key=lambda piece: piece.offset,
        )
    )
    piece = next(pieces, None)
    for section in sections:
        most = sizes.get(section.file)
        if section.opaque and (most is None or any(n > _unpacked(most) for n in section.declared)):
            yield f"file {section.file + 1} is binary, or larger, in the packets alone"
        bounds = [section.offset, section.opaque_from, section.end]
        for hidden, (start, end) in enumerate(pairwise(bounds)):
            while piece is not None and piece.offset < end:
                if (
                    piece.offset < start
                    or piece.offset + piece.size > end
                    or piece.file != section.file
                    or (piece.cut is Cut.OPAQUE) != bool(hidden)
                ):
                    yield f"the segment at byte {piece.offset} isn't what it is said to be"
                piece = next(pieces, None)


def wrongly_cut(
    manifest: Manifest, number: int, sections: Sequence[Section], patch: Sliced
) -> Iterator[str]:
    """Whether each segment begins and ends where it says, so that a reader knows what they have.

    A piece that begins within a line and doesn't say so could pass for a line of the frame.

    Args:
        manifest: The claim, of which ``wrongly_shown`` has found nothing.
        number: Of the patch.
        sections: Of the patch that the packets hold, in its order.
        patch: Its bytes.
    """
    starts = [section.offset for section in sections]
    for segment in manifest.segments:
        piece = segment.piece
        if piece.patch != number or piece.cut is Cut.OPAQUE:
            continue
        section = sections[bisect_right(starts, piece.offset) - 1]
        first, last = section.offset, section.opaque_from
        start, end = piece.offset, piece.offset + piece.size
        after = bisect_right(section.hunks, start, lo=1)
        following = section.hunks[after] if after < len(section.hunks) else last
        begins = start == first or _begins_hunk(section, start)
        ends = end == last or _begins_hunk(section, end)
        match piece.cut:
            case Cut.FILE:
                right = (start, end) == (first, last)
            case Cut.HUNKS:
                right = begins and ends
            case _:
                right = end <= following
                right &= (begins, ends) == (piece.part == 1, piece.part == piece.parts)
        within_line = piece.part > 1 and patch[start - 1 : start] != b"\n"
        if not right or piece.continued != within_line:
            yield f"the segment at byte {start} isn't cut as it says: {piece.cut}"


def unlooked_at(
    files: Sequence[ReviewFile], sections: Sequence[Section]
) -> tuple[tuple[tuple[Change, Section], ...], ...]:
    """The binary sections whose result the base has too, under another name or as another's start.

    Git takes such a result from where it is without looking at the patch. In groups of which none
    has a result that is also a start of it, so that each can be looked at by itself: by the first
    bit in which start and result differ, and its value in the start. Of a change of type, which is
    taken away and added again, only the second section can be one.
    """
    starts = {file.change.old_oid for file in files if file.change.old_mode != NOTHING}
    groups: dict[tuple[int, int], list[tuple[Change, Section]]] = {}
    taken_away: set[int] = set()
    for section in sections:
        change = files[section.file].change
        if change.status == "T":
            if section.file not in taken_away:
                taken_away.add(section.file)
                continue
            nothing = "0" * len(change.old_oid)
            change = replace(change, status="A", old_mode=NOTHING, old_oid=nothing)
        if section.opaque and change.status != "D" and change.new_oid in starts:
            bit = value = 0
            if change.status == "M":
                old, new = int(change.old_oid, 16), int(change.new_oid, 16)
                bit = (old ^ new).bit_length()
                value = old >> max(bit - 1, 0) & 1
            groups.setdefault((bit, value), []).append((change, section))
    return tuple(tuple(group) for _, group in sorted(groups.items()))


def _begins_hunk(section: Section, offset: int) -> bool:
    """Whether a hunk begins there that could have been cut off: not the first."""
    at = bisect_left(section.hunks, offset, lo=1)
    return at < len(section.hunks) and section.hunks[at] == offset


def wrongly_unpacked(
    sections: Sequence[Section], patch: Sliced, sizes: Mapping[int, int]
) -> Iterator[str]:
    """Whether a binary part would make more than the file is: git would, in memory, without limit.

    Args:
        sections: Of the patch that the packets hold.
        patch: Its bytes.
        sizes: Of each file that is binary by git's own account, the larger content's.
    """
    for section in sections:
        if section.opaque:
            start = section.opaque_from
            try:
                size = result_size(patch[start : min(section.end, start + _WINDOW)])
            except (ValueError, zlib.error):
                yield f"file {section.file + 1}: nobody can tell what its binary part makes"
                continue
            if size > sizes.get(section.file, 0):
                yield f"file {section.file + 1}: its binary part would make {size} bytes"


def result_size(part: bytes) -> int:
    """How many bytes the content has that a binary patch makes, by its own account.

    Source: git's ``delta.h`` (the sizes that a delta begins with), ``diff.c`` (its spelling).

    Args:
        part: The patch; its beginning is enough.

    Raises:
        ValueError: it doesn't say so at its beginning.
        zlib.error: likewise.
    """
    _, first, *lines = part.split(b"\n")
    kind, _, number = first.partition(b" ")
    if kind == b"literal":
        return int(number)
    unpacking = zlib.decompressobj()
    head = b""
    for line in lines:
        if not line or len(head) >= _SIZES_BYTES:
            break
        length = line[0] - 64 if line[:1].isupper() else line[0] - 70
        head += unpacking.decompress(base64.b85decode(line[1:])[:length], _SIZES_BYTES)
    sizes: list[int] = []
    size = shift = 0
    for byte in head:
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            sizes.append(size)
            size = shift = 0
    if len(sizes) < 2:
        raise ValueError("a delta without its sizes")
    return sizes[1]


def _unpacked(size: int) -> int:
    """What a binary part may declare: git's delta of a content can be larger than the content."""
    return 2 * size + 1024
