"""The comparison of a big tree that was put off when its job ended.

The sealed record doesn't change: a pass is a signed file beside it. If the tree differs, nobody
can say since when, so every record of that commit that still waits for an audit is revoked.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog

from runner.adapters.checkouts.cache import Checkouts
from runner.adapters.git.mirrors import Mirror
from runner.adapters.job_folders import JobFolder, JobFolders
from runner.adapters.signing import Signer
from runner.errors import RunnerError
from runner.flows.equipment import Equipment
from runner.model.artifact import Artifact
from runner.model.checkout import Checkout, TreeCheck
from runner.policy import attestation
from runner.policy.record_rules import AUDIT_NAME, REVOCATION_NAME, awaits_audit

_log = structlog.get_logger(__name__)


def audit(
    checkout: Checkout, checkouts: Checkouts, folders: JobFolders, signer: Signer
) -> TreeCheck:
    """Compares every file of ``checkout`` with what was sealed, and says so beside the records.

    The caller holds the checkout. Records of jobs on it that wait for an audit get theirs, or
    are revoked, and then the entry is to be quarantined by the caller. Records of jobs on an
    earlier checkout of the same commit are left as they are: nobody can look at that any more.
    """
    result = checkouts.check(checkout, full=True)
    for folder, artifact in _waiting(folders, checkout):
        if result.intact:
            _attach(
                folder, signer, attestation.AUDIT_TYPE, AUDIT_NAME, artifact, {"outcome": "passed"}
            )
            continue
        why = {"reason": "MUTATION_DETECTED", "changed_files": list(result.changed_files)}
        _attach(folder, signer, attestation.REVOCATION_TYPE, REVOCATION_NAME, artifact, why)
        _log.error("audit.revoked", job_id=artifact.job_id, sha=artifact.sha)
    return result


def audit_later(used: Checkout, mirror: Mirror, equipment: Equipment) -> None:
    """Audits the checkout that a job ``used``, after its end was told; what fails is logged."""
    try:
        with equipment.checkouts.use(
            mirror.key, used.objects, used.sha, lambda into: mirror.materialise(used.sha, into)
        ) as checkout:
            if checkout != used:  # it was rebuilt meanwhile: nothing can be said any more
                return
            tree = audit(checkout, equipment.checkouts, equipment.folders, equipment.signer)
        if not tree.intact:
            quarantine(used, tree, equipment.checkouts)
    except (RunnerError, OSError) as error:
        _log.error("audit.failed", sha=used.sha, error=str(error))


def quarantine(checkout: Checkout, tree: TreeCheck, checkouts: Checkouts) -> None:
    """Takes a changed entry out of the cache; a failure is logged, the record tells the change."""
    try:
        where = checkouts.quarantine(checkout, ", ".join(tree.changed_files[:5]))
        _log.error("checkout.quarantined", sha=checkout.sha, where=str(where))
    except (RunnerError, OSError) as error:
        _log.error("checkout.quarantine_failed", sha=checkout.sha, error=str(error))


def _waiting(folders: JobFolders, checkout: Checkout) -> Iterator[tuple[JobFolder, Artifact]]:
    """The sealed records of jobs on this very checkout that nobody has audited yet."""
    for job_id in folders.ids():
        try:
            folder = folders.open(job_id)
            if (folder.path / AUDIT_NAME).exists() or (folder.path / REVOCATION_NAME).exists():
                continue
            if folder.plan().sha != checkout.sha:
                continue
            artifact = folder.artifact()
        except RunnerError:
            continue
        if artifact is not None and awaits_audit(artifact, checkout.snapshot_sha256):
            yield folder, artifact


def _attach(
    folder: JobFolder,
    signer: Signer,
    kind: str,
    name: str,
    artifact: Artifact,
    predicate: Mapping[str, Any],
) -> None:
    digest = hashlib.sha256(Path(folder.path / attestation.RECORD_NAME).read_bytes()).hexdigest()
    statement = attestation.follow_up(kind, artifact.job_id, digest, predicate)
    envelope = signer.sign_envelope(attestation.payload(statement), attestation.PAYLOAD_TYPE)
    folder.attach(name, envelope)
