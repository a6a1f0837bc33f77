"""With what a waiting client exits, by the record: never by the job's own exit code."""

from runner.model.artifact import Artifact
from runner.model.job import Reason, Status
from runner.policy.invariants import violated

SUCCESS = 0
JOB_FAILED = 1
USAGE = 2
INFRASTRUCTURE = 3
NOT_RUN = 4
VIOLATED = 5
SIZE_CAP_EXCEEDED = 6
WARNINGS = 10
TRY_AGAIN = 75
DEADLINE = 124
INTERRUPTED = 130
CLOSED_PIPE = 141

_BY_STATUS = {
    Status.SUCCESS: SUCCESS,
    Status.FAILURE: JOB_FAILED,
    Status.TIMEOUT: JOB_FAILED,
    Status.ERROR: INFRASTRUCTURE,
    Status.CANCELLED: NOT_RUN,
    Status.REJECTED: NOT_RUN,
}


def of_record(artifact: Artifact, *, strict: bool = False) -> int:
    """The exit code for a job that ended with this record. Anything unknown is 3."""
    if violated(artifact.invariants) or artifact.reason == Reason.SIZE_CAP_CLAIM_INVALID:
        return VIOLATED
    code = _BY_STATUS.get(artifact.status, INFRASTRUCTURE)
    if code == SUCCESS and strict and artifact.warnings:
        return WARNINGS
    return code
