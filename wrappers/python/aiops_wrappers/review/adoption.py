"""Packets that the target made: taken over if they prove complete, and only then.

What the target wrote is read, never moved: its folder may hold links and files that no packet
needs. Everything that is taken over is bound by a digest to the manifest that was proven.
"""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from aiops_wrappers.contract import Job
from aiops_wrappers.review.reading import Reading, new_folder
from runner.adapters.packet_files import Archive, PacketFolder, put
from runner.flows.bundle import Places
from runner.flows.prove import Proof, prove
from runner.flows.range_reading import range_contents
from runner.model.review import Manifest
from runner.policy.packets import manifest as manifests
from runner.policy.packets.contract import HOW_TO_PASTE
from runner.policy.packets.frames import changed_files
from runner.policy.packets.notices import over_cap, readme

_DEEPEST = 3
_MOST_SEEN = 100_000
_BLOCK = 1 << 20


class NotAdoptedError(Exception):
    """The target's packets aren't complete, or aren't there; says what is wrong."""


def adopt(job: Job, reading: Reading, made: Path, places: Places) -> tuple[Manifest, str]:
    """Puts the packets that the target made below ``made`` into ``places``; manifest and digest.

    Raises:
        NotAdoptedError: they don't prove complete.
        RunnerError: they couldn't be proven, through no fault of theirs.
        OSError: no room.
    """
    folder = _only_folder(made)
    proof = prove(folder, reading.reader, new_folder(job), span=reading.base.span)
    if not proof.complete:
        raise NotAdoptedError("; ".join(proof.problems))
    if not proof.exactly_ours:
        raise NotAdoptedError("they aren't exactly what this program makes of the range")
    assert proof.manifest is not None
    assert proof.manifest_sha256 is not None
    try:
        _copy(job, reading, folder, proof, places)
    except ValueError as error:  # it was changed after it was proven
        raise NotAdoptedError(str(error)) from error
    return proof.manifest, proof.manifest_sha256


def _only_folder(made: Path) -> Path:
    folders = list(_with_manifest(made))
    if len(folders) != 1:
        raise NotAdoptedError(f"got {len(folders)} files {manifests.NAME}, expected one")
    return folders[0]


def _with_manifest(made: Path) -> Iterator[Path]:
    seen = 0
    for folder, below, files in os.walk(made):  # follows no link (os.walk, followlinks)
        seen += len(below) + len(files)
        if seen > _MOST_SEEN:
            raise NotAdoptedError(f"more than {_MOST_SEEN} files")
        if manifests.NAME in files:
            yield Path(folder)
        if len(Path(folder).relative_to(made).parts) >= _DEEPEST:
            below.clear()


def _copy(job: Job, reading: Reading, folder: Path, proof: Proof, places: Places) -> None:
    assert proof.manifest is not None
    assert proof.manifest_sha256 is not None
    assert places.packets is not None
    assert places.archive is not None
    assert places.readme is not None
    into, claim = places.packets, proof.manifest
    into.mkdir()
    with (
        range_contents(reading.reader, reading.base.span, new_folder(job)) as contents,
        PacketFolder(folder) as source,
        Archive(places.archive) as archive,
    ):
        for packet in claim.packets:
            content = _same(source, packet.name, packet.size, packet.sha256)
            put(into, packet.name, content)
            archive.add(packet.name, content)
        if claim.opaque_sha256 is not None:
            _copy_opaque(source, into / manifests.OPAQUE_NAME, claim.opaque_sha256)
            archive.add_file(manifests.OPAQUE_NAME, into / manifests.OPAQUE_NAME)
        for name, data in (
            ("CHANGED_FILES.txt", changed_files(contents.overview)),
            ("HOW_TO_PASTE.txt", HOW_TO_PASTE.encode()),
            (
                manifests.NAME,
                _same(source, manifests.NAME, manifests.MAX_BYTES, proof.manifest_sha256),
            ),
        ):
            put(into, name, data)
            archive.add(name, data)
        put(places.bundle.parent, places.bundle.name, over_cap(contents.overview, 0, 0))
        put(places.readme.parent, places.readme.name, readme(claim, proof.manifest_sha256))


def _same(source: PacketFolder, name: str, max_bytes: int, digest: str) -> bytes:
    content = source.read(name, max_bytes=max_bytes)
    if sha256(content).hexdigest() != digest:
        raise ValueError(f"{name} was changed after it was proven")
    return content


def _copy_opaque(source: PacketFolder, place: Path, digest: str) -> None:
    found = sha256()
    with source.open(place.name) as file, place.open("xb") as copy:
        while block := file.read(_BLOCK):
            found.update(block)
            copy.write(block)
    if found.hexdigest() != digest:
        raise ValueError(f"{place.name} was changed after it was proven")
