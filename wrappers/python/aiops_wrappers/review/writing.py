"""Bundle or packets of our own making, and the claim that they are complete."""

from collections.abc import Callable

from aiops_wrappers.contract import Job
from aiops_wrappers.review.places import new_stamp, places_of
from aiops_wrappers.review.reading import Reading, new_folder
from runner.adapters.packet_files import put
from runner.flows.bundle import Built, Wanted, build
from runner.policy.packets import meta


def write_ours(
    job: Job,
    reading: Reading,
    archive_name: str,
    say: Callable[[str], None],
    *,
    force_packets: bool = False,
    target_incomplete: bool = False,
) -> None:
    """Writes ``REVIEW_BUNDLE.txt``, or, where that would be too large, packets.

    Args:
        job: Whose ``$ARTIFACT_DIR``; nothing of ours lies there yet.
        reading: The range.
        archive_name: One of the two that there are.
        say: Told what was made.
        force_packets: Packets, whatever the size.
        target_incomplete: Whether packets of the target's own lie beside them.

    Raises:
        RunnerError: as ``build``.
        OSError: something couldn't be written; there is no claim then, or part of one.
    """
    stamp = new_stamp()
    places = places_of(job, archive_name, stamp)
    wanted = Wanted(force_packets=force_packets)
    built = build(reading.reader, reading.base.span, wanted, places, new_folder(job))
    if not built.exceeded:
        (job.artifacts / meta.PACKETS_FOLDER).rmdir()
        say(
            f"{meta.BUNDLE_NAME}: {built.size_bytes} bytes of {wanted.size_cap_bytes} allowed,"
            f" {len(built.file_bytes)} changed files"
        )
        return
    assert built.manifest_sha256 is not None
    claim(
        job,
        meta.Meta(
            since_sha=reading.since,
            stamp=stamp,
            archive_name=archive_name,
            packet_count=built.packets,
            manifest_sha256=built.manifest_sha256,
            target_incomplete=target_incomplete,
        ),
        _why(built, wanted),
        say,
    )


def _why(built: Built, wanted: Wanted) -> str:
    size = f"the change has {built.size_bytes} bytes in {len(built.file_bytes)} files"
    if wanted.force_packets:
        return f"{size}, packets were asked for"
    return f"{size}, a bundle may have {wanted.size_cap_bytes}"


def claim(job: Job, made: meta.Meta, why: str, say: Callable[[str], None]) -> None:
    """Says that the packets are there, in the last file of all.

    Raises:
        OSError: it couldn't be written whole.
    """
    archive_bytes = (job.artifacts / made.archive_name).stat().st_size
    put(job.artifacts, meta.NAME, meta.to_json(made))
    say(f"{', '.join(made.warnings)}: {why}")
    say(
        f"{made.packet_count} packets in {made.packets_dir}, all of them in {made.archive_name}"
        f" ({archive_bytes} bytes); see {meta.README_NAME}"
    )
