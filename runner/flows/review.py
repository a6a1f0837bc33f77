"""A range of a person's own repository: made into a bundle or packets, or proven to be in some.

Only a mirror of ours is read, never the repository's own objects, which somebody else may have
written (git checks what it fetches, and not what it borrows).
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from runner.adapters.git.mirrors import Mirror
from runner.adapters.git.process import GitProcess
from runner.adapters.git.ranges import RangeReader
from runner.adapters.packet_files import PacketFolder
from runner.adapters.scratch import private_folder
from runner.errors import ConfigurationError, RefusedError, UnavailableError
from runner.flows.bundle import Built, Places, Wanted, build
from runner.flows.packet_texts import texts_ok
from runner.flows.prove import Proof, prove
from runner.flows.review_output import Output, Placed, placed
from runner.model.review import ReviewRange
from runner.policy.packets import manifest as manifests
from runner.policy.packets.recognised import range_of_bundle

_BUNDLE_BYTES = 1 << 30


@dataclass(frozen=True)
class Source:
    """Where a range is read from.

    Attributes:
        mirror: Of the repository.
        git: Ours.
        scratch: A folder with room for patches.
    """

    mirror: Mirror
    git: GitProcess
    scratch: Path


@dataclass(frozen=True)
class Ends:
    """Two commits, by their full ids.

    Attributes:
        base: Null: from the empty tree on.
        head: The commit that is to be reviewed.
    """

    base: str | None
    head: str


@dataclass(frozen=True)
class BundleCheck:
    """What was found out about a bundle.

    Attributes:
        ends: The range that it has to be of.
        same: Whether it is exactly what this program makes of that.
        unseen: How many changed files are binary, and so shown to no reader.
    """

    ends: Ends
    same: bool
    unseen: int = 0


def bundle(source: Source, ends: Ends, wanted: Wanted, output: Output) -> tuple[Built, Placed]:
    """Writes the bundle or the packets of a range to where a person wants them.

    Raises:
        ConfigurationError: ``BASE_NOT_ANCESTOR``, ``OUTPUT_EXISTS``, ``OUTPUT_UNWRITABLE``,
            ``PACKET_BYTES_…``, ``TOO_MANY_PACKETS``, or what ``Mirror.ensure_commit`` refuses.
        UnavailableError: ``DISK_FULL``, ``GIT_…``, ``MIRROR_UNAVAILABLE``.
    """
    with _asked_for(), _ranges(source, ends.head) as (reader, scratch):
        # what is in the head's history came with it, so what isn't there isn't in it
        span = _range(reader, ends)
        with placed(output) as making:
            built = build(reader, span, wanted, making.places, scratch)
            return built, making.publish()


@contextlib.contextmanager
def _asked_for() -> Iterator[None]:
    """What a person asked for and can't be had is theirs to change: a usage error, no refusal."""
    try:
        yield
    except RefusedError as error:
        raise ConfigurationError(error.code, str(error.args[0]), remedy=error.remedy) from error


def verify_packets(source: Source, folder: Path, ends: Ends | None) -> Proof:
    """Whether the packets in ``folder`` hold all of a range: ``ends``, else the one they name.

    Raises:
        ConfigurationError: ``BASE_NOT_ANCESTOR``: of ``ends``.
        UnavailableError: ``RANGE_MISSING``: the repository doesn't have the range;
            ``SCRATCH_UNWRITABLE``, ``GIT_…``.
    """
    try:
        asked = ends or _claimed(folder)
    except (OSError, ValueError) as error:
        return Proof((f"{manifests.NAME}: {error}",), False, None, None)
    with _there(), _ranges(source, asked.head) as (reader, scratch):
        span = _range(reader, asked) if ends is not None else None
        try:
            proof = prove(folder, reader, scratch, span=span)
            return replace(proof, exactly_ours=proof.exactly_ours and texts_ok(folder, proof))
        except ConfigurationError as error:
            return Proof((f"the range that they name: {error.args[0]}",), False, None, None)


def verify_bundle(source: Source, file: Path, ends: Ends | None) -> BundleCheck:
    """Whether ``file`` is the bundle of a range, byte for byte: of ``ends``, else the one it names.

    Raises:
        ConfigurationError: ``NOT_A_BUNDLE``; ``BASE_NOT_ANCESTOR``: of ``ends``.
        UnavailableError: as ``verify_packets``.
    """
    try:
        with PacketFolder(file.parent) as folder:
            content = folder.read(file.name, max_bytes=_BUNDLE_BYTES)
        named = Ends(*range_of_bundle(content))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            "NOT_A_BUNDLE",
            f"{file}: {error}",
            remedy="name a folder of packets, or a REVIEW_BUNDLE.txt",
        ) from error
    asked = ends or named
    with _there(), _ranges(source, asked.head) as (reader, scratch):
        try:
            span = _range(reader, asked)
        except ConfigurationError:
            if ends is not None:
                raise
            return BundleCheck(asked, same=False)
        again = scratch / "bundle"
        built = build(reader, span, Wanted(size_cap_bytes=len(content)), Places(again), scratch)
        same = not built.exceeded and again.read_bytes() == content
        return BundleCheck(asked, same, built.unseen)


@contextlib.contextmanager
def _ranges(source: Source, head: str) -> Iterator[tuple[RangeReader, Path]]:
    """A reader of a mirror that has ``head`` and its whole history, and a folder to work in."""
    with source.mirror.hold(), private_folder(source.scratch, _name()) as scratch:
        source.mirror.ensure_commit(head, allowed_branches=("*",), default_branch="a branch")
        yield RangeReader(source.git, source.mirror.objects, scratch / "range", head), scratch


def _name() -> str:
    return f"review-{os.getpid()}-{secrets.token_hex(4)}"


def _range(reader: RangeReader, ends: Ends) -> ReviewRange:
    try:
        return reader.range(ends.base, ends.head)
    except ConfigurationError as error:
        if error.code != "RANGE_UNKNOWN":
            raise
        raise ConfigurationError(
            "BASE_NOT_ANCESTOR",
            f"{ends.base} isn't in the history of {ends.head}",
            remedy="take their merge base: git merge-base BASE HEAD",
        ) from error


def _claimed(folder: Path) -> Ends:
    """The range that packets say they are of."""
    with PacketFolder(folder) as packets:
        data = packets.read(manifests.NAME, max_bytes=manifests.MAX_BYTES)
    span = manifests.from_json(data).range
    return Ends(span.base, span.head)


@contextlib.contextmanager
def _there() -> Iterator[None]:
    """That a commit or room can't be had says nothing about packets: nobody could decide."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            "SCRATCH_UNWRITABLE", f"{error.filename or 'scratch'}: {error.strerror or error}"
        ) from error
    except RefusedError as error:
        raise UnavailableError(
            "RANGE_MISSING", f"nothing can be proven here: {error}", remedy=error.remedy
        ) from error
