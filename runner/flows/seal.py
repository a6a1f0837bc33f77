"""Sealing a job: the record, its checksums and its signature, together or not at all."""

from collections.abc import Mapping

from runner.adapters.job_folders import JobFolder
from runner.adapters.signing import Signer
from runner.model.artifact import Artifact
from runner.policy import attestation


def seal(folder: JobFolder, artifact: Artifact, signer: Signer) -> bool:
    """Step 8: writes SHA256SUMS and the signed envelope, then ``artifact.json`` as the last act.

    Returns:
        Whether this record is the sealed one; the first that was sealed stands.

    Raises:
        BusyError: ``JOB_HELD``: somebody else executes the job.
        UnavailableError: ``DISK_FULL``, ``STATE_UNWRITABLE``: nothing is sealed.
    """

    def attest(record: Artifact, digest: str, files: Mapping[str, str]) -> bytes:
        statement = attestation.statement(record, digest, files)
        return signer.sign_envelope(attestation.payload(statement), attestation.PAYLOAD_TYPE)

    return folder.seal(artifact, attest)
