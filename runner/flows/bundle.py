"""A range becomes one bundle, or, where that is larger than its cap, packets.

1 read the range · 2 does it fit? · 3 cut · 4 write the packets · 5 say where everything is
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from runner.adapters.git.ranges import RangeReader
from runner.adapters.packet_files import Archive, put
from runner.errors import ConfigurationError, RefusedError
from runner.flows.packet_writing import write_packets
from runner.flows.range_reading import Contents, range_contents
from runner.model.review import (
    MAX_PACKET_BYTES,
    PACKET_BYTES,
    SIZE_CAP_BYTES,
    Cut,
    Piece,
    ReviewRange,
)
from runner.policy.packets import manifest as manifests
from runner.policy.packets.contract import HOW_TO_PASTE
from runner.policy.packets.cutting import TooManyPacketsError, lay_out, size_shown
from runner.policy.packets.frames import Frame, Style, changed_files
from runner.policy.packets.notices import over_cap, readme
from runner.policy.packets.visible import shown


@dataclass(frozen=True)
class Wanted:
    """What a bundle shall be like.

    Attributes:
        size_cap_bytes: The most that one bundle may have.
        packet_bytes: The most that one packet may have, its frame included.
        force_packets: Packets, whatever the size.
    """

    size_cap_bytes: int = SIZE_CAP_BYTES
    packet_bytes: int = PACKET_BYTES
    force_packets: bool = False


@dataclass(frozen=True)
class Places:
    """Where everything goes. None of it exists yet, but for the folders that hold it.

    Attributes:
        bundle: ``REVIEW_BUNDLE.txt``; over the cap it says that, and which files are changed.
        packets: The folder of the packets; null: over the cap nothing is written.
        archive: All of that folder in one ``.tar.gz``.
        readme: What the packets are.
    """

    bundle: Path
    packets: Path | None = None
    archive: Path | None = None
    readme: Path | None = None


@dataclass(frozen=True)
class FileBytes:
    """How large a changed file is in a bundle.

    Attributes:
        path: As git stores it; of what only commits in between have, its object id.
        size: What is shown of it, in bytes.
        in_between: Whether neither base nor head has it.
    """

    path: bytes
    size: int
    in_between: bool


@dataclass(frozen=True)
class Built:
    """What was made of a range.

    Attributes:
        span: The range.
        exceeded: Whether the cap was.
        size_bytes: Of the bundle; of a bundle that would have been too large, at least.
        file_bytes: Each changed file and how much of it is shown, in git's order.
        unseen: How many of them are binary, and so shown to no reader.
        packets: How many were written.
        manifest_sha256: Of ``manifest.json``; null where there is none.
    """

    span: ReviewRange
    exceeded: bool
    size_bytes: int
    file_bytes: tuple[FileBytes, ...]
    unseen: int
    packets: int = 0
    manifest_sha256: str | None = None


def build(
    reader: RangeReader, span: ReviewRange, wanted: Wanted, places: Places, scratch: Path
) -> Built:
    """Writes the bundle or the packets of ``span``. The same range always gives the same bytes.

    Raises:
        ConfigurationError: ``PACKET_BYTES_TOO_SMALL``, ``PACKET_BYTES_TOO_LARGE``.
        RefusedError: ``TOO_MANY_PACKETS``.
        UnavailableError: ``GIT_…``.
        OSError: something couldn't be written; no packet folder is left under its name.
    """
    # 1 read the range
    with range_contents(reader, span, scratch) as contents:
        built = _measured(span, contents)
        # 2 does it fit?
        if not wanted.force_packets and built.size_bytes <= wanted.size_cap_bytes:
            text = bundle_text(contents)
            if len(text) <= wanted.size_cap_bytes:
                put(places.bundle.parent, places.bundle.name, text)
                return replace(built, size_bytes=len(text))
            built = replace(built, size_bytes=len(text))
        built = replace(built, exceeded=True)
        if places.packets is None:
            return built
        # 3 cut
        pieces, frame = _cut(contents, wanted.packet_bytes)
        # 4 write the packets
        notice = over_cap(contents.overview, built.size_bytes, wanted.size_cap_bytes)
        with _folder(places.packets) as folder, contextlib.ExitStack() as stack:
            archive = None
            if places.archive is not None:
                archive = stack.enter_context(Archive(places.archive))
            manifest = write_packets(contents, pieces, frame, wanted.packet_bytes, folder, archive)
            document = manifests.to_json(manifest)
            if len(document) > manifests.MAX_BYTES:  # no proof would read it
                raise RefusedError(
                    "TOO_MANY_PACKETS",
                    f"their manifest has {len(document)} bytes, expected at most"
                    f" {manifests.MAX_BYTES}",
                    remedy="allow larger packets, or split the range",
                )
            for name, data in (
                ("CHANGED_FILES.txt", changed_files(contents.overview)),
                ("HOW_TO_PASTE.txt", HOW_TO_PASTE.encode()),
                (manifests.NAME, document),
            ):
                put(folder, name, data)
                if archive is not None:
                    archive.add(name, data)
        # 5 say where everything is
        digest = sha256(document).hexdigest()
        put(places.bundle.parent, places.bundle.name, notice)
        if places.readme is not None:
            put(places.readme.parent, places.readme.name, readme(manifest, digest))
        return replace(built, packets=len(manifest.packets), manifest_sha256=digest)


def bundle_text(contents: Contents) -> bytes:
    """All of a range in one text."""
    pieces: list[tuple[int, Piece, bytes]] = []
    for number, (patch, sections) in enumerate(contents.patches):
        for section in sections:
            start, end = section.offset, section.opaque_from
            whole = Piece(number, section.file, start, end - start, Cut.FILE, 0)
            pieces.append((len(pieces) + 1, whole, shown(patch[start:end])))
            if section.opaque:
                hidden = replace(whole, offset=end, size=section.end - end, cut=Cut.OPAQUE)
                pieces.append((len(pieces) + 1, hidden, b""))
    return Frame(contents.overview, Style.LISTED).bundle(pieces)


def _measured(span: ReviewRange, contents: Contents) -> Built:
    sizes: dict[tuple[int, int], int] = {}
    for number, (patch, sections) in enumerate(contents.patches):
        for section in sections:
            size = size_shown(patch, section)
            sizes[number, section.file] = sizes.get((number, section.file), 0) + size
    parts = contents.overview.parts
    files = tuple(
        FileBytes(parts[number].files[file].change.path, size, in_between=number > 0)
        for (number, file), size in sorted(sizes.items())
    )
    unseen = sum("binary" in file.kinds for part in parts for file in part.files)
    return Built(span, False, sum(sizes.values()), files, unseen)


def _cut(contents: Contents, packet_bytes: int) -> tuple[tuple[Piece, ...], Frame]:
    if packet_bytes > MAX_PACKET_BYTES:  # no proof would accept them
        raise ConfigurationError(
            "PACKET_BYTES_TOO_LARGE",
            f"got packets of {packet_bytes} bytes, expected at most {MAX_PACKET_BYTES}",
        )
    try:
        frame = Frame.for_packets_of(contents.overview, packet_bytes)
    except ValueError as error:
        raise ConfigurationError("PACKET_BYTES_TOO_SMALL", f"for a packet: {error}") from error
    try:
        return lay_out(contents.patches, packet_bytes - frame.fixed_size, frame.cost), frame
    except TooManyPacketsError as error:
        raise RefusedError(
            "TOO_MANY_PACKETS", str(error), remedy="allow larger packets, or split the range"
        ) from error


@contextlib.contextmanager
def _folder(place: Path) -> Iterator[Path]:
    """A new folder that gets the name ``place`` once everything is in it; gone if that fails."""
    if place.exists():
        raise ConfigurationError("OUTPUT_EXISTS", f"{place} is there already")
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.{os.getpid()}.partial")
    aside.mkdir()
    try:
        yield aside
        aside.rename(place)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
