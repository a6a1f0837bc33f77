"""A job, from what a caller asks for to how it ended."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from runner.model.base import Noun, UtcTime
from runner.model.catalog import Limits
from runner.model.ids import CommitSha, JobId, Name, Sha256


class Status(StrEnum):
    """Where a job stands. The last six are terminal."""

    QUEUED = "queued"
    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def is_terminal(self) -> bool:
        """Whether a job in this status has ended for good."""
        return self not in (Status.QUEUED, Status.AWAITING_APPROVAL, Status.RUNNING)


class Reason(StrEnum):
    """Why a job didn't plainly succeed. Stands beside every status but a plain success."""

    EXIT_CODE = "EXIT_CODE"
    SIGNAL = "SIGNAL"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    MUTATION_DETECTED = "MUTATION_DETECTED"
    ORPHANS = "ORPHANS"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    SIZE_CAP_CLAIM_INVALID = "SIZE_CAP_CLAIM_INVALID"
    SHA_NOT_FOUND = "SHA_NOT_FOUND"
    SHA_NOT_A_COMMIT = "SHA_NOT_A_COMMIT"
    SHA_NOT_ON_ALLOWED_BRANCH = "SHA_NOT_ON_ALLOWED_BRANCH"
    SHALLOW_REPOSITORY = "SHALLOW_REPOSITORY"
    ALLOWLIST_CHANGED = "ALLOWLIST_CHANGED"
    NEEDS_METADATA_WRITES = "NEEDS_METADATA_WRITES"
    CHECKOUT_REFUSED = "CHECKOUT_REFUSED"
    SANDBOX_UNAVAILABLE = "SANDBOX_UNAVAILABLE"
    SANDBOX_FAILED = "SANDBOX_FAILED"
    MIRROR_UNAVAILABLE = "MIRROR_UNAVAILABLE"
    DISK_FULL = "DISK_FULL"
    WORKER_LOST = "WORKER_LOST"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class Warn(StrEnum):
    """What a reader of a record should know although it changed no status."""

    LOG_TRUNCATED = "LOG_TRUNCATED"
    OUTPUT_REFUSED = "OUTPUT_REFUSED"
    INVARIANT_NOT_ESTABLISHED = "INVARIANT_NOT_ESTABLISHED"
    SANDBOX_DISABLED = "SANDBOX_DISABLED"
    SIZE_CAP_EXCEEDED = "SIZE_CAP_EXCEEDED"
    TARGET_PACKETS_INCOMPLETE = "TARGET_PACKETS_INCOMPLETE"


class JobRequest(Noun):
    """What a caller asks for. Untrusted: only its shape has been looked at, and only its size."""

    job_type: str = Field(max_length=200)
    repo_name: str = Field(max_length=200)
    remote_url: str | None = Field(default=None, max_length=2048)
    sha: str = Field(max_length=200)
    params: dict[str, str | int] = Field(default={}, max_length=64)
    idempotency_key: str | None = Field(default=None, max_length=200)
    priority: int = Field(default=0, ge=-10, le=10)
    timeout_s: int | None = Field(
        default=None, ge=1, description="shortens the job type's limit, never lengthens it"
    )


class RepoSource(StrEnum):
    """Who vouches that a job may run on this repository."""

    ALLOWLIST = "allowlist"
    OPERATOR_PATH = "operator_path"
    UNLISTED = "unlisted"


class JobPlan(Noun):
    """An admitted request, fully resolved. Holding one proves admission.

    Only ``policy.admission.admit`` makes one from a request; what is read back from a job's own
    folder is admitted again before it runs. Printing it is ``runner plan``.

    Attributes:
        remote_url: What is fetched: the allowlist's own spelling, or an absolute path when
            ``repo_source`` is ``operator_path``.
        argv: As in the allowlist; elements that begin with ``wrappers/`` are resolved when the
            job is confined.
        env: Name and value of each variable, sorted, without those that depend on the machine.
        wrapper_sha256: sha256 of the first ``wrappers/`` element of argv, null without one.
        input_hash: sha256 of the canonical JSON of job type, repository, sha and params.
    """

    schema_version: Literal[1] = 1
    job_id: JobId
    created_at: UtcTime
    job_type: Name
    repo_name: Name
    remote_url: str
    repo_source: RepoSource
    allowed_branches: tuple[str, ...]
    default_branch: str
    sha: CommitSha
    params: dict[str, str]
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    timeout_s: int
    network: Literal["none"]
    limits: Limits
    retries: int
    toolchains: tuple[str, ...]
    needs_python: bool
    needs_metadata_writes: bool
    wrapper_sha256: Sha256 | None
    wrappers_hash: Sha256
    allowlist_hash: Sha256
    input_hash: Sha256
    idempotency_key: str | None
    priority: int
    trace_id: str


class Job(Noun):
    """A job as the living see it: what Redis holds, and what can be rebuilt from its folder."""

    job_id: JobId
    job_type: Name
    repo_name: Name
    sha: CommitSha
    status: Status
    reason: str | None = None
    created_at: UtcTime
    started_at: UtcTime | None = None
    finished_at: UtcTime | None = None
    attempt: int = 0
    fence: int = 0
    cancel_requested: bool = False
