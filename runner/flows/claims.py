"""Does what a job says of its review packets hold? Nothing of it is taken on trust.

1 it is a claim · 2 about the range that the job was to review · 3 the packets hold all of it, in
exactly the frame that this program writes · 4 the claim is about these packets, and everything
lies where it says · 5 the texts beside them are what they have to be · 6 the archive holds the
same files
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from runner.adapters.git.mirrors import Mirror
from runner.adapters.packet_archive import difference
from runner.adapters.packet_files import ARCHIVE_FOLDER, PacketFolder
from runner.adapters.scratch import private_folder
from runner.errors import ConfigurationError, RefusedError
from runner.flows.prove import Proof, examine, prove
from runner.flows.review_base import range_of_job
from runner.model.artifact import OutputFile, RefusedOutput
from runner.model.job import JobPlan
from runner.model.review import Manifest
from runner.policy import claims
from runner.policy.claims import Finding
from runner.policy.packets import meta as metas
from runner.policy.packets.contract import HOW_TO_PASTE
from runner.policy.packets.meta import Meta
from runner.policy.packets.notices import readme, says_over_cap

_MOST = 5
_NOTICE_BYTES = 1000
"""What stands before the list of changed files where the bundle would have been."""


class _UnbelievableError(Exception):
    """What doesn't hold; nothing after it is looked at."""


def claim_of(
    plan: JobPlan,
    folder: Path,
    outputs: Sequence[OutputFile],
    refused: Sequence[RefusedOutput],
    *,
    scratch_root: Path,
    mirror: Mirror,
) -> Finding | None:
    """What came of the claim that a job left, held against our own mirror; null: it left none.

    Args:
        plan: The job.
        folder: Its collected outputs.
        outputs: What was collected.
        refused: What wasn't.
        scratch_root: Where a private folder can be made.
        mirror: Of its repository; the caller holds it.

    Raises:
        UnavailableError: ``GIT_…``: nothing is known.
        OSError: no room, say: likewise.
    """
    sizes = {output.path.removeprefix("outputs/"): output.size_bytes for output in outputs}
    if not claims.is_claimed(sizes, [entry.path for entry in refused]):
        return None
    asked = plan.params.get("since_sha")
    with private_folder(scratch_root, plan.job_id) as scratch:
        return check_claim(folder, sizes, scratch, head=plan.sha, since_sha=asked, mirror=mirror)


def check_claim(
    folder: Path,
    sizes: Mapping[str, int],
    scratch: Path,
    *,
    head: str,
    since_sha: str | None,
    mirror: Mirror | None,
) -> Finding:
    """Whether the claim in ``folder`` holds.

    Args:
        folder: The collected outputs of a job: hostile input.
        sizes: Of each file in it in bytes, by its path.
        scratch: An empty folder with room for the change, twice.
        head: The commit that the job ran on.
        since_sha: The base that it was asked for, if any.
        mirror: Has that commit; the caller holds it. Null: it isn't proven that the packets hold
            all of the range, but all else is looked at.

    Raises:
        UnavailableError: ``GIT_…``: nothing is known.
        OSError: no room, say: likewise.
    """
    try:
        # 1 it is a claim
        meta = _read(folder)
        # 2 about the range that the job was to review, and 3 the packets hold all of it
        found = _prove(folder, meta, sizes, scratch, head, since_sha, mirror)
        _none_of(found.problems)
        assert found.manifest is not None
        if not found.exactly_ours:
            raise _UnbelievableError(
                "the packets aren't exactly what this program makes of the range"
            )
        # 4 the claim is about these packets, and everything lies where it says
        _none_of(claims.packets_of_another_kind(found.manifest))
        _none_of(claims.other_packets(meta, found.manifest, found.manifest_sha256))
        _none_of(claims.wrong_files(meta, found.manifest, sizes))
        # 5 the texts beside them
        _check_texts(folder, meta, found.manifest)
        # 6 the archive holds the same files
        _check_archive(folder, meta, found.manifest)
    except _UnbelievableError as error:
        return Finding(None, tuple(str(why).replace(f"{folder}/", "") for why in error.args))
    except (ConfigurationError, RefusedError) as error:  # of the range that it is about
        return Finding(None, (str(error.args[0]),))
    return Finding(meta, proof=_proof(meta, found.manifest, by_mirror=mirror is not None))


def _proof(meta: Meta, manifest: Manifest, *, by_mirror: bool) -> str:
    span = manifest.range.text
    if by_mirror:
        return f"{meta.packet_count} packets hold all of {span}: its tree comes out of them"
    return f"{meta.packet_count} packets hold all that their manifest says of {span}"


def _read(folder: Path) -> Meta:
    with PacketFolder(folder) as outputs:
        try:
            return metas.from_json(outputs.read(metas.NAME, max_bytes=metas.MAX_BYTES))
        except ValueError as error:
            raise _UnbelievableError(f"{metas.NAME}: {error}") from error


def _prove(
    folder: Path,
    meta: Meta,
    sizes: Mapping[str, int],
    scratch: Path,
    head: str,
    since_sha: str | None,
    mirror: Mirror | None,
) -> Proof:
    packets = folder / meta.packets_dir
    if mirror is None:
        found = examine(packets, scratch)
        if found.manifest is not None:
            _none_of(claims.other_ends(found.manifest, meta, head))
        return found
    reader = mirror.ranges(scratch / "repository", head)
    span = range_of_job(reader, head, since_sha).span
    _none_of(claims.of_another_range(meta, span.base))
    # nothing is shown in fewer bytes than it has, so a larger range can't be in there
    room = sum(size for path, size in sizes.items() if path.startswith(f"{meta.packets_dir}/"))
    return prove(packets, reader, scratch, span=span, max_bytes=room)


def _check_texts(folder: Path, meta: Meta, manifest: Manifest) -> None:
    """People read these and paste them, so none of it is the job's to word."""
    how_to = HOW_TO_PASTE.encode()
    told = readme(manifest, meta.manifest_sha256)
    try:
        with PacketFolder(folder) as outputs, PacketFolder(folder / meta.packets_dir) as packets:
            if packets.read(claims.HOW_TO_NAME, max_bytes=len(how_to)) != how_to:
                raise _UnbelievableError(f"{claims.HOW_TO_NAME} isn't what it has to be")
            if outputs.read(metas.README_NAME, max_bytes=len(told)) != told:
                raise _UnbelievableError(f"{metas.README_NAME} isn't what it has to be")
            listing = packets.read(claims.CHANGED_NAME, max_bytes=packets.size(claims.CHANGED_NAME))
            most = len(listing) + _NOTICE_BYTES
            notice = outputs.read(metas.BUNDLE_NAME, max_bytes=most)
    except ValueError as error:
        raise _UnbelievableError(str(error)) from error
    if not says_over_cap(notice, manifest.range, listing):
        raise _UnbelievableError(f"{metas.BUNDLE_NAME} isn't what it has to be")


def _check_archive(folder: Path, meta: Meta, manifest: Manifest) -> None:
    packets = folder / meta.packets_dir
    names = claims.files_of(manifest)
    members = ((f"{ARCHIVE_FOLDER}/{name}", packets / name) for name in names)
    problem = difference(folder / meta.archive_name, members)
    if problem is not None:
        raise _UnbelievableError(f"{meta.archive_name}: {problem}")


def _none_of(problems: Iterable[str]) -> None:
    found = tuple(islice(problems, _MOST))
    if found:
        raise _UnbelievableError(*found)
