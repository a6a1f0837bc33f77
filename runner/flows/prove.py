"""Do these packets hold all of a range? From the base tree and the packets alone.

1 the manifest is one, and about this range · 2 git says the same of what is changed ·
3 every segment is there once · 4 each packet's bytes are what the manifest says, and show what
they hold · 5 together they are a patch of exactly those changes · 6 which makes the head's tree
of the base's
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, groupby, islice
from pathlib import Path

from runner.adapters.git.ranges import RangeReader
from runner.adapters.git.rebuild import rebuilt_tree
from runner.adapters.packet_files import PacketFolder
from runner.adapters.spool import Spool
from runner.flows.range_reading import Contents, range_contents, walked
from runner.model.review import Cut, Manifest, Packet, Piece, ReviewRange, Segment
from runner.policy.packets import manifest as manifests
from runner.policy.packets import proof
from runner.policy.packets.frames import Frame, changed_files
from runner.policy.packets.visible import revealed

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Proof:
    """What was found out about packets.

    Attributes:
        problems: What is missing, doubled, changed or forged; none: the packets are complete.
        frame_ok: Whether also what stands around the data is exactly what this program writes.
        manifest: What they say they are; null if that can't be read.
        manifest_sha256: Of its bytes.
    """

    problems: tuple[str, ...]
    frame_ok: bool
    manifest: Manifest | None
    manifest_sha256: str | None

    @property
    def complete(self) -> bool:
        """Whether everything is there, once, unchanged."""
        return not self.problems


class _IncompleteError(Exception):
    """What follows can't be looked at any more."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems


def prove(
    folder: Path,
    reader: RangeReader,
    scratch: Path,
    *,
    span: ReviewRange | None = None,
    max_bytes: int | None = None,
) -> Proof:
    """Whether the packets in ``folder``, whoever made them, hold all of a range.

    Args:
        folder: Hostile input.
        reader: Of a repository of ours that has the range.
        scratch: A folder with room for the patches, twice.
        span: The range that it has to be; null: whichever the packets say.
        max_bytes: A range with more can't be in those packets.

    Raises:
        ConfigurationError: ``RANGE_UNKNOWN``, ``BASE_NOT_ANCESTOR``: of the packets' own range.
        RefusedError: ``RANGE_TOO_LARGE``.
        UnavailableError: ``GIT_…``.
        OSError: no room.
    """
    claim: Manifest | None = None
    digest: str | None = None
    frame_ok = False
    problems: tuple[str, ...] = ()
    try:
        with ExitStack() as stack:
            packets = stack.enter_context(_opened(folder))
            # 1 the manifest is one, and about this range
            claim, digest = _read_manifest(packets)
            span = span or reader.range(claim.range.base, claim.range.head)
            _none_of(proof.of_another_range(claim, span))
            # 2 git says the same of what is changed
            contents = stack.enter_context(
                range_contents(reader, span, scratch, max_bytes=max_bytes)
            )
            _none_of(proof.other_changes(claim, contents.overview))
            # 3 every segment is there once
            _none_of(
                chain(
                    proof.bad_places(claim),
                    proof.missing_or_double(claim),
                    proof.wrong_parts(claim),
                    _unknown_files(packets, claim, contents),
                )
            )
            # 4 each packet's bytes are what the manifest says, and show what they hold
            spools = [stack.enter_context(Spool(scratch)) for _ in claim.patches]
            frame_ok = _assemble(packets, claim, contents, spools)
            # 5 together they are a patch of exactly those changes
            _check_patches(claim, contents, spools)
            # 6 which makes the head's tree of the base's
            _rebuild(reader, contents, spools, scratch)
    except _IncompleteError as error:
        problems = error.problems
    return Proof(problems, frame_ok and not problems, claim, digest)


def _opened(folder: Path) -> PacketFolder:
    try:
        return PacketFolder(folder)
    except OSError as error:
        raise _IncompleteError(f"{folder}: {error.strerror}") from error


def _read_manifest(packets: PacketFolder) -> tuple[Manifest, str]:
    try:
        data = packets.read(manifests.NAME, max_bytes=manifests.MAX_BYTES)
        return manifests.from_json(data), sha256(data).hexdigest()
    except ValueError as error:
        raise _IncompleteError(f"{manifests.NAME}: {error}") from error


def _none_of(problems: Iterator[str]) -> None:
    found = tuple(islice(problems, proof.MOST_SHOWN))
    if found:
        raise _IncompleteError(*found)


def _unknown_files(packets: PacketFolder, claim: Manifest, contents: Contents) -> Iterator[str]:
    known = {packet.name for packet in claim.packets}
    for name in sorted(packets.names()):
        if name.startswith("packet_") and name not in known:
            yield f"{name[:100]} isn't in the manifest"
    listing = changed_files(contents.overview)
    try:
        if packets.read("CHANGED_FILES.txt", max_bytes=len(listing)) != listing:
            yield "CHANGED_FILES.txt says something else than git"
    except ValueError as error:
        yield str(error)


def _assemble(
    packets: PacketFolder, claim: Manifest, contents: Contents, spools: list[Spool]
) -> bool:
    """Puts each segment's bytes at their place; whether every frame is exactly ours."""
    try:
        frame = Frame.for_packets_of(contents.overview, claim.packet_bytes)
    except ValueError:
        frame = None
    groups = groupby(enumerate(claim.segments, start=1), key=lambda item: item[1].piece.packet)
    frames_ok = [
        _assemble_packet(packets, claim, number, list(group), spools, frame)
        for number, group in groups
    ]
    if claim.opaque_sha256 is not None:
        _assemble_opaque(packets, claim, spools)
    return all(frames_ok)


def _assemble_packet(
    packets: PacketFolder,
    claim: Manifest,
    number: int,
    segments: list[tuple[int, Segment]],
    spools: list[Spool],
    frame: Frame | None,
) -> bool:
    packet = claim.packets[number]
    content = _read_packet(packets, packet)
    filling: list[tuple[int, Piece, bytes]] = []
    end = 0
    for index, segment in segments:
        piece = segment.piece
        if piece.cut is Cut.OPAQUE:
            filling.append((index, piece, b""))
            continue
        if segment.at < end or segment.at + segment.stored_size > len(content):
            raise _IncompleteError(f"segment {index} doesn't lie in {packet.name} by itself")
        end = segment.at + segment.stored_size
        text = content[segment.at : end]
        try:
            data = revealed(text)
        except ValueError as error:
            raise _IncompleteError(f"segment {index} in {packet.name}: {error}") from error
        if len(data) != piece.size or sha256(data).hexdigest() != segment.sha256:
            raise _IncompleteError(f"segment {index} in {packet.name} isn't what the manifest says")
        spools[piece.patch].write_at(piece.offset, data)
        filling.append((index, piece, text))
    if frame is None:
        return False
    expected, _ = frame.packet(number + 1, len(claim.packets), filling)
    return expected == content


def _read_packet(packets: PacketFolder, packet: Packet) -> bytes:
    try:
        content = packets.read(packet.name, max_bytes=packet.size)
    except ValueError as error:
        raise _IncompleteError(str(error)) from error
    if len(content) != packet.size or sha256(content).hexdigest() != packet.sha256:
        raise _IncompleteError(f"{packet.name} isn't what the manifest says")
    return content


def _assemble_opaque(packets: PacketFolder, claim: Manifest, spools: list[Spool]) -> None:
    """Copies the segments that no packet shows, which lie one after the other."""
    segments = [segment for segment in claim.segments if segment.piece.cut is Cut.OPAQUE]
    whole = sha256()
    try:
        with packets.open(manifests.OPAQUE_NAME) as file:
            for segment in segments:
                digest, at = sha256(), segment.piece.offset
                left = segment.stored_size
                while left and (block := file.read(min(left, _BLOCK))):
                    spools[segment.piece.patch].write_at(at, block)
                    digest.update(block)
                    whole.update(block)
                    at, left = at + len(block), left - len(block)
                if left or digest.hexdigest() != segment.sha256:
                    raise _IncompleteError(f"{manifests.OPAQUE_NAME} isn't what the manifest says")
            if file.read(1) or whole.hexdigest() != claim.opaque_sha256:
                raise _IncompleteError(f"{manifests.OPAQUE_NAME} isn't what the manifest says")
    except ValueError as error:
        raise _IncompleteError(str(error)) from error


def _check_patches(claim: Manifest, contents: Contents, spools: list[Spool]) -> None:
    for number, (part, spool) in enumerate(zip(claim.patches, spools, strict=True)):
        if spool.sha256() != part.sha256:
            raise _IncompleteError(f"the patch {part.name} isn't what the manifest says")
        files = contents.overview.parts[number].files
        try:
            sections = walked(tuple(file.change for file in files), spool.blocks())
        except ValueError as error:
            raise _IncompleteError(f"the patch {part.name}: {error}") from error
        sizes = {
            index: max(file.old_size or 0, file.new_size or 0)
            for index, file in enumerate(files)
            if "binary" in file.kinds
        }
        _none_of(proof.wrongly_shown(claim, number, sections, sizes))


def _rebuild(reader: RangeReader, contents: Contents, spools: list[Spool], scratch: Path) -> None:
    for part, spool in zip(contents.overview.parts, spools, strict=True):
        starting_from = sorted(
            {
                file.change.old_oid
                for file in part.files
                if file.change.old_mode not in ("000000", "160000")
            }
        )
        try:
            tree = rebuilt_tree(
                reader, part.from_tree, starting_from, spool.path, scratch / f"rebuilt-{part.name}"
            )
        except ValueError as error:
            raise _IncompleteError(f"the patch {part.name}: {error}") from error
        if tree != part.to_tree:
            raise _IncompleteError(
                f"the patch {part.name} leads to the tree {tree}, expected {part.to_tree}"
            )
