"""What packets hold, put together again: all that can be found out without their repository.

3 every segment is there once · 4 each packet's bytes are what the manifest says, and show what
they hold · 5 together they are a patch of exactly those changes
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, groupby, islice
from pathlib import Path

from runner.adapters.packet_files import PacketFolder
from runner.adapters.spool import Spool
from runner.flows.range_reading import walked
from runner.model.review import Cut, Manifest, Packet, Piece, Section, Segment
from runner.policy.packets import manifest as manifests
from runner.policy.packets import patch_proof, proof
from runner.policy.packets.frames import Frame, Overview, changed_files
from runner.policy.packets.visible import revealed, shown_text

_BLOCK = 1 << 20


class IncompleteError(Exception):
    """What follows can't be looked at any more."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems


@dataclass(frozen=True)
class Assembled:
    """What packets hold.

    Attributes:
        spools: The bytes of each patch.
        sections: Of each patch, in its order.
        frame_ok: Whether also what stands around the data is exactly what this program writes.
    """

    spools: tuple[Spool, ...]
    sections: tuple[tuple[Section, ...], ...]
    frame_ok: bool


@contextmanager
def assembled(
    packets: PacketFolder, claim: Manifest, overview: Overview, scratch: Path
) -> Iterator[Assembled]:
    """Both patches as the packets have them; they are gone when the block ends.

    Args:
        packets: Hostile input.
        claim: Their manifest, with as many patches as ``overview`` has parts.
        overview: What the range holds: as git says, or, without a repository, as they do.
        scratch: A folder with room for the patches.

    Raises:
        IncompleteError: they aren't what the manifest says.
        OSError: no room.
    """
    with ExitStack() as stack:
        # 3 every segment is there once
        none_of(proof.bad_places(claim))
        none_of(
            chain(
                proof.missing_or_double(claim),
                proof.wrong_parts(claim),
                _larger_than_stored(packets, claim),
                _unknown_files(packets, claim, overview),
            )
        )
        # 4 each packet's bytes are what the manifest says, and show what they hold
        spools = tuple(stack.enter_context(Spool(scratch)) for _ in claim.patches)
        frame_ok = _assemble(packets, claim, overview, spools)
        # 5 together they are a patch of exactly those changes
        sections = tuple(_sections(claim, overview, spools))
        yield Assembled(spools, sections, frame_ok)


def opened(folder: Path) -> PacketFolder:
    """The packets in ``folder``.

    Raises:
        IncompleteError: there is no such folder.
    """
    try:
        return PacketFolder(folder)
    except OSError as error:
        raise IncompleteError(f"{folder}: {error.strerror}") from error


def read_manifest(packets: PacketFolder) -> tuple[Manifest, str]:
    """What the packets say they are, and the sha256 of that.

    Raises:
        IncompleteError: they say nothing that can be read.
    """
    try:
        data = packets.read(manifests.NAME, max_bytes=manifests.MAX_BYTES)
        return manifests.from_json(data), sha256(data).hexdigest()
    except ValueError as error:
        raise IncompleteError(f"{manifests.NAME}: {error}") from error


def none_of(problems: Iterator[str]) -> None:
    """Ends the proof if there are any ``problems``.

    Raises:
        IncompleteError: with the first of them.
    """
    found = tuple(islice(problems, proof.MOST_SHOWN))
    if found:
        raise IncompleteError(*found)


def _larger_than_stored(packets: PacketFolder, claim: Manifest) -> Iterator[str]:
    """Nothing is shown in fewer bytes than it has: so no place in a patch lies beyond the packets.

    Looked at before the first byte is put there, since a manifest may name any place.
    """
    opaque_bytes = 0
    for number, segment in enumerate(claim.segments, start=1):
        if segment.stored_size < segment.piece.size:
            yield f"segment {number} has more bytes than are stored of it"
        if segment.piece.cut is Cut.OPAQUE:
            opaque_bytes += segment.stored_size
        elif segment.at + segment.stored_size > claim.packets[segment.piece.packet].size:
            yield f"segment {number} doesn't lie in {segment.stored_in}"
    if opaque_bytes:
        try:
            if packets.size(manifests.OPAQUE_NAME) < opaque_bytes:
                yield f"{manifests.OPAQUE_NAME} has less than its segments"
        except ValueError as error:
            yield str(error)


def _unknown_files(packets: PacketFolder, claim: Manifest, overview: Overview) -> Iterator[str]:
    known = {packet.name for packet in claim.packets}
    if claim.opaque_sha256 is not None:
        known.add(manifests.OPAQUE_NAME)
    for name in sorted(packets.names()):
        if name.startswith(("packet_", manifests.OPAQUE_NAME)) and name not in known:
            yield f"{shown_text(os.fsencode(name))} isn't in the manifest"
    listing = changed_files(overview)
    try:
        if packets.read("CHANGED_FILES.txt", max_bytes=len(listing)) != listing:
            yield "CHANGED_FILES.txt says something else than git"
    except ValueError as error:
        yield str(error)


def _assemble(
    packets: PacketFolder, claim: Manifest, overview: Overview, spools: tuple[Spool, ...]
) -> bool:
    """Puts each segment's bytes at their place; whether every frame is exactly ours."""
    try:
        frame = Frame.for_packets_of(overview, claim.packet_bytes)
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
    spools: tuple[Spool, ...],
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
            raise IncompleteError(f"segment {index} doesn't lie in {packet.name} by itself")
        end = segment.at + segment.stored_size
        text = content[segment.at : end]
        try:
            data = revealed(text)
        except ValueError as error:
            raise IncompleteError(f"segment {index} in {packet.name}: {error}") from error
        if len(data) != piece.size or sha256(data).hexdigest() != segment.sha256:
            raise IncompleteError(f"segment {index} in {packet.name} isn't what the manifest says")
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
        raise IncompleteError(str(error)) from error
    if len(content) != packet.size or sha256(content).hexdigest() != packet.sha256:
        raise IncompleteError(f"{packet.name} isn't what the manifest says")
    return content


def _assemble_opaque(packets: PacketFolder, claim: Manifest, spools: tuple[Spool, ...]) -> None:
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
                    raise IncompleteError(f"{manifests.OPAQUE_NAME} isn't what the manifest says")
            if file.read(1) or whole.hexdigest() != claim.opaque_sha256:
                raise IncompleteError(f"{manifests.OPAQUE_NAME} isn't what the manifest says")
    except ValueError as error:
        raise IncompleteError(str(error)) from error


def _sections(
    claim: Manifest, overview: Overview, spools: tuple[Spool, ...]
) -> Iterator[tuple[Section, ...]]:
    """The sections of each patch, once they are what the manifest says."""
    for number, (part, spool) in enumerate(zip(claim.patches, spools, strict=True)):
        if spool.sha256() != part.sha256:
            raise IncompleteError(f"the patch {part.name} isn't what the manifest says")
        files = overview.parts[number].files
        try:
            sections = walked(tuple(file.change for file in files), spool.blocks())
        except ValueError as error:
            raise IncompleteError(f"the patch {part.name}: {error}") from error
        sizes = {
            index: max(file.old_size or 0, file.new_size or 0)
            for index, file in enumerate(files)
            if "binary" in file.kinds
        }
        none_of(patch_proof.wrongly_shown(claim, number, sections, sizes))
        none_of(patch_proof.wrongly_unpacked(sections, spool, sizes))
        none_of(patch_proof.wrongly_cut(claim, number, sections, spool))
        yield tuple(sections)
