"""What a job says of its own outputs, and what has to be there before it is believed.

One thing can be claimed: that a review bundle would have been over its cap, and that packets hold
all of it. Every rule yields what is wrong, in words.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from runner.model.review import SIZE_CAP_BYTES, Manifest, ReviewRange
from runner.policy.packets import manifest as manifests
from runner.policy.packets.meta import (
    ARCHIVE_NAMES,
    BUNDLE_NAME,
    NAME,
    PACKETS_FOLDER,
    README_NAME,
    Meta,
)

CHANGED_NAME = "CHANGED_FILES.txt"
HOW_TO_NAME = "HOW_TO_PASTE.txt"
_LEAST_PACKET_BYTES = 10_000


@dataclass(frozen=True)
class Finding:
    """What came of a claim.

    Attributes:
        meta: The claim, if everything about it holds; else null.
        problems: What doesn't hold.
        proof: What was proven, for people.
    """

    meta: Meta | None
    problems: tuple[str, ...] = ()
    proof: str = ""


def is_claimed(outputs: Collection[str], refused: Collection[str]) -> bool:
    """Whether a job claims anything. Whatever has the name is a claim, be it a link or a folder.

    Args:
        outputs: Paths of what was collected, relative to ``$ARTIFACT_DIR``.
        refused: Likewise, of what wasn't.
    """
    there = (*outputs, *refused)
    return any(path == NAME or path.startswith(f"{NAME}/") for path in there)


def files_of(manifest: Manifest) -> tuple[str, ...]:
    """What the packets' folder holds, in the order in which the archive has it."""
    opaque = (manifests.OPAQUE_NAME,) if manifest.opaque_sha256 is not None else ()
    packets = tuple(packet.name for packet in manifest.packets)
    return (*packets, *opaque, CHANGED_NAME, HOW_TO_NAME, manifests.NAME)


def of_another_range(meta: Meta, base: str | None) -> Iterator[str]:
    """Whether the claim is about the range that the job was to review."""
    if meta.since_sha != base:
        yield f"since_sha is {meta.since_sha}, expected {base}"


def other_ends(manifest: Manifest, meta: Meta, head: str) -> Iterator[str]:
    """Whether the packets say that they are of the claim's range; all that can be told offline."""
    span: ReviewRange = manifest.range
    if (span.base, span.head) != (meta.since_sha, head):
        yield f"the packets are of {span.text}, expected {meta.since_sha}..{head}"


def other_packets(meta: Meta, manifest: Manifest, manifest_sha256: str | None) -> Iterator[str]:
    """Whether the claim is about these packets."""
    if meta.manifest_sha256 != manifest_sha256:
        yield f"manifest_sha256 is {meta.manifest_sha256}, expected {manifest_sha256}"
    if meta.packet_count != len(manifest.packets):
        yield f"packet_count is {meta.packet_count}, expected {len(manifest.packets)}"


def packets_of_another_kind(manifest: Manifest) -> Iterator[str]:
    """Whether the packets have a size at which they are read whole, with all that stands in them.

    The job chose it. In one of many megabytes the end is overlooked, and those of a few bytes have
    neither instructions nor the list of files.
    """
    if not _LEAST_PACKET_BYTES <= manifest.packet_bytes <= SIZE_CAP_BYTES:
        yield (
            f"packets of {manifest.packet_bytes} bytes,"
            f" expected {_LEAST_PACKET_BYTES} to {SIZE_CAP_BYTES}"
        )


def wrong_files(meta: Meta, manifest: Manifest, outputs: Collection[str]) -> Iterator[str]:
    """Whether everything lies where the claim says, and no other packets beside them.

    Args:
        meta: The claim.
        manifest: Of its packets.
        outputs: Paths of what was collected, relative to ``$ARTIFACT_DIR``.
    """
    packets = {f"{meta.packets_dir}/{name}" for name in files_of(manifest)}
    expected = packets | {NAME, BUNDLE_NAME, README_NAME, meta.archive_name}
    for path in sorted(expected - set(outputs)):
        yield f"{path} is missing"
    for path in sorted(set(outputs) - packets):
        if path.startswith(f"{PACKETS_FOLDER}/"):
            yield f"{path} is none of the packets"
        if path in ARCHIVE_NAMES and path != meta.archive_name:
            yield f"{path} isn't the archive that was proven"
