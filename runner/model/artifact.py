"""The record of a job: the shape of ``artifact.json``. Everything later inherits it."""

from typing import Literal

from pydantic import Field

from runner.model.base import Noun, UtcTime
from runner.model.ids import CommitSha, JobId, Name, Sha256
from runner.model.job import RepoSource, Status
from runner.model.sandbox import Confinement, Evidence


class LogRecord(Noun):
    """What is known of one of the two log streams.

    Attributes:
        path: Of the kept part, relative to the job's folder.
        bytes: Of the whole stream.
        sha256: Of the whole stream; null where the pump died with its worker.
        kept_sha256: Of the kept part (the file as it lies there).
        truncated: Whether a middle part was dropped.
        dropped_bytes: How many bytes that part had.
        head_bytes: How many bytes of the stream stand before the gap.
    """

    path: str
    bytes: int
    sha256: Sha256 | None
    kept_sha256: Sha256
    truncated: bool
    dropped_bytes: int = 0
    head_bytes: int


class Logs(Noun):
    """Both log streams."""

    stdout: LogRecord
    stderr: LogRecord


class OutputFile(Noun):
    """One collected output: a regular file, copied, never a link. ``path`` begins ``outputs/``."""

    path: str
    size_bytes: int
    sha256: Sha256
    media_type: str


class RefusedOutput(Noun):
    """Something in ``$ARTIFACT_DIR`` that wasn't collected, with its name made safe to show."""

    path: str
    why: str


class Invariants(Noun):
    """Each invariant: true, false, or null where it couldn't be established."""

    read_only_ok: bool | None
    clean_tree_ok: bool | None
    head_unmoved_ok: bool | None
    no_push_ok: bool | None
    no_orphans_ok: bool | None


class Established(Noun):
    """How an invariant's value was come by.

    ``method`` is ``kernel``, ``snapshot``, ``rehash``, ``audit-pending``, ``pid-namespace``,
    ``subreaper``, ``not-run`` or ``none``.
    """

    method: str
    evidence: str


class InvariantsHow(Noun):
    """How each invariant was established."""

    read_only_ok: Established
    clean_tree_ok: Established
    head_unmoved_ok: Established
    no_push_ok: Established
    no_orphans_ok: Established


class SandboxRecord(Noun):
    """What confined this job, and the evidence taken inside before its own code ran."""

    confinement: Confinement
    evidence: Evidence | None


class TestCounts(Noun):
    """Counted from a JUnit file that the job left: a claim of the job's, not a measurement."""

    __test__ = False  # not a test class, whatever its name says to a collector

    tests: int
    passed: int
    failed: int
    errors: int
    skipped: int


class SizeCapFallback(Noun):
    """What a job said of the packets that its review bundle became: every key of its claim.

    It is in a record only once it was proven. The paths are relative to ``outputs/``.
    """

    size_cap_triggered: Literal[True]
    size_cap_exceeded: Literal[True]
    warnings: tuple[str, ...]
    review_packets_archive: str
    review_packets_dir: str
    packet_dir: str
    archive_path: str
    readme_path: str
    packet_count: int
    since_sha: CommitSha
    stamp: str
    manifest_sha256: Sha256
    complete: Literal[True]


class Artifact(Noun):
    """The sealed record of one job. Never changes once written.

    A reader finds in ``invariants`` what held and in ``invariants_how`` how that is known. The
    job's own exit code is ``exit_code``; what this program makes of everything is ``status``.
    """

    schema_version: Literal[1] = 1
    job_id: JobId
    repo_name: Name
    remote_url: str
    repo_source: RepoSource
    sha: CommitSha
    tree: CommitSha | None
    job_type: Name
    argv: tuple[str, ...]
    params: dict[str, str]
    timeout_s: int
    created_at: UtcTime
    started_at: UtcTime | None
    finished_at: UtcTime
    duration_ms: int | None = Field(description="from started_at to the end of the job's process")
    exit_code: int | None
    signal: int | None
    status: Status
    reason: str | None
    detail: str = Field(description="the reason in words, for a person; empty on plain success")
    hostname: str
    trace_id: str
    input_hash: Sha256
    allowlist_hash: Sha256
    wrapper_sha256: Sha256 | None
    wrappers_hash: Sha256
    stdout_path: str
    stderr_path: str
    logs: Logs
    outputs: tuple[OutputFile, ...]
    outputs_refused: tuple[RefusedOutput, ...]
    invariants: Invariants
    invariants_how: InvariantsHow
    changed_files: tuple[str, ...]
    sandbox: SandboxRecord | None
    warnings: tuple[str, ...]
    tests: TestCounts | None
    size_cap_exceeded: bool
    review_packets_archive: str | None
    review_packets_dir: str | None
    size_cap_fallback: SizeCapFallback | None
    attempt: int
    runner_version: str
