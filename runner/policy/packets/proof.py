"""Do packets hold all of a range? What their manifest claims, against what git says.

Every rule yields what is wrong; nothing that it yields means that the claim holds.
"""

from collections.abc import Iterator

from runner.model.review import (
    EMPTY_TREE,
    IN_BETWEEN,
    MAX_PACKET_BYTES,
    MAX_PACKETS,
    RANGE,
    Cut,
    Manifest,
    PatchPart,
    ReviewRange,
    Segment,
)
from runner.policy.packets.frames import Overview
from runner.policy.packets.manifest import OPAQUE_NAME
from runner.policy.packets.visible import shown_text

MOST_SHOWN = 20


def of_another_range(manifest: Manifest, span: ReviewRange) -> Iterator[str]:
    """Whether the manifest is about ``span``."""
    if manifest.range != span:
        yield f"the packets are of {manifest.range.text}, expected {span.text}"
        if manifest.range.text == span.text:
            yield "the manifest names other trees than the commits have"


def not_both_patches(manifest: Manifest) -> Iterator[str]:
    """Whether the manifest has the two patches that a range has, as far as it can tell itself."""
    ends = [(part.name, part.from_tree, part.to_tree) for part in manifest.patches]
    empty = EMPTY_TREE[len(manifest.range.head)]
    between = ends[1][2] if len(ends) > 1 else empty
    span = manifest.range
    if ends != [(RANGE, span.base_tree, span.head_tree), (IN_BETWEEN, empty, between)]:
        yield "the manifest doesn't have the patches of its range"


def other_changes(manifest: Manifest, overview: Overview) -> Iterator[str]:
    """Whether the manifest lists exactly what git says is changed."""
    if manifest.commits != overview.commits:
        yield f"got {manifest.commits} commits, expected {overview.commits}"
    if manifest.warnings != overview.warnings:
        yield "the manifest has other warnings"
    if len(manifest.patches) != len(overview.parts):
        yield f"got {len(manifest.patches)} patches, expected {len(overview.parts)}"
    for claimed, own in zip(manifest.patches, overview.parts, strict=False):
        yield from _other_files(claimed, own)


def _other_files(claimed: PatchPart, own: PatchPart) -> Iterator[str]:
    got = (claimed.name, claimed.from_tree, claimed.to_tree)
    if got != (own.name, own.from_tree, own.to_tree):
        yield f"the patch {own.name} is between other trees"
    if claimed.files == own.files:
        return
    there, expected = set(claimed.files), set(own.files)
    for file in own.files:
        if file not in there:
            yield f"the manifest lacks, or describes otherwise: {shown_text(file.change.path)}"
    for file in claimed.files:
        if file not in expected:
            yield f"the manifest has, and git hasn't so: {shown_text(file.change.path)}"
    yield f"the files of the patch {own.name} aren't in git's order, each once"


def bad_places(manifest: Manifest) -> Iterator[str]:
    """Whether packets and segments are such as can be looked up at all."""
    total = len(manifest.packets)
    if not 0 < manifest.packet_bytes <= MAX_PACKET_BYTES:
        yield f"packets of {manifest.packet_bytes} bytes, expected at most {MAX_PACKET_BYTES}"
    if total > MAX_PACKETS:
        yield f"got {total} packets, expected at most {MAX_PACKETS}"
    width = max(3, len(str(total)))
    for number, packet in enumerate(manifest.packets, start=1):
        if packet.name != f"packet_{number:0{width}}.txt":
            yield f"packet {number} is called {packet.name}"
        if packet.size > manifest.packet_bytes:
            yield f"{packet.name} has {packet.size} bytes, the cap is {manifest.packet_bytes}"
    numbers = [segment.piece.packet for segment in manifest.segments]
    if sorted(numbers) != numbers or set(numbers) != set(range(total)):
        yield "the segments aren't in the order of the packets, or a packet has none"
        return
    for number, segment in enumerate(manifest.segments, start=1):
        piece = segment.piece
        if piece.patch >= len(manifest.patches):
            yield f"segment {number} is of a patch that there isn't"
        elif piece.file >= len(manifest.patches[piece.patch].files):
            yield f"segment {number} is of a file that there isn't"
        if segment.stored_in != _home(manifest, segment):
            yield f"segment {number} is said to be in {segment.stored_in}"
        if piece.size < 1:
            yield f"segment {number} is empty"


def _home(manifest: Manifest, segment: Segment) -> str:
    opaque = segment.piece.cut is Cut.OPAQUE
    return OPAQUE_NAME if opaque else manifest.packets[segment.piece.packet].name


def missing_or_double(manifest: Manifest) -> Iterator[str]:
    """Whether the segments cover each patch from its first byte to its last, each byte once."""
    for number, part in enumerate(manifest.patches):
        pieces = [s.piece for s in manifest.segments if s.piece.patch == number]
        end = 0
        for piece in sorted(pieces, key=lambda piece: piece.offset):
            if piece.offset > end:
                yield f"bytes {end} to {piece.offset} of the patch {part.name} are in no segment"
            elif piece.offset < end:
                yield f"bytes from {piece.offset} of the patch {part.name} are in two segments"
            end = max(end, piece.offset + piece.size)
        if end != part.size:
            yield f"the segments end at byte {end} of {part.size} of the patch {part.name}"
    stored = [s for s in manifest.segments if s.piece.cut is Cut.OPAQUE]
    ends = [0, *(segment.at + segment.stored_size for segment in stored)]
    if any(
        s.at != end or s.stored_size != s.piece.size for s, end in zip(stored, ends, strict=False)
    ):
        yield "the opaque segments don't lie one after the other"
    if bool(stored) != (manifest.opaque_sha256 is not None):
        yield f"{OPAQUE_NAME} is named without a digest, or the other way round"


def wrong_parts(manifest: Manifest) -> Iterator[str]:
    """Whether what is said to be part k of n of a hunk is followed by the part after it."""
    part, parts, place = 0, 0, (0, 0, 0)  # of the segment before, and where the next byte is
    for number, segment in enumerate(manifest.segments, start=1):
        piece = segment.piece
        if piece.cut is Cut.PARTIAL_HUNK and not 1 <= piece.part <= piece.parts:
            yield f"segment {number} is part {piece.part} of {piece.parts}"
        if piece.cut is not Cut.PARTIAL_HUNK and (piece.part, piece.parts) != (0, 0):
            yield f"segment {number} is {piece.cut}, and yet a part"
        goes_on = (piece.part, piece.parts) == (part + 1, parts)
        if part != parts and not (goes_on and (piece.patch, piece.file, piece.offset) == place):
            yield f"segment {number} doesn't go on where the one before it ends"
        if part == parts and piece.part > 1:
            yield f"segment {number} is part {piece.part} without the ones before it"
        part, parts = piece.part, piece.parts
        place = (piece.patch, piece.file, piece.offset + piece.size)
    if part != parts:
        yield "the last parts of a hunk are missing"
