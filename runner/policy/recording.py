"""Puts the record of a job together from what was decided, measured and collected."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from runner.model.artifact import (
    Artifact,
    Logs,
    OutputFile,
    RefusedOutput,
    SandboxRecord,
    SizeCapFallback,
    TestCounts,
)
from runner.model.checkout import TreeCheck
from runner.model.job import JobPlan, Status, Warn
from runner.model.sandbox import Confinement, Evidence, ProcessExit
from runner.policy.claims import Finding
from runner.policy.conclusion import Conclusion
from runner.policy.invariants import check, unestablished
from runner.policy.packets.meta import to_json


@dataclass(frozen=True)
class Facts:
    """What is known of one attempt, as far as it got. Each null means: it never came to that.

    Attributes:
        tree_id: The commit's tree.
        output_limit: Which limit the outputs broke; empty if none.
        claim: What came of the job's claim; null: it made none, or nothing depended on it.
    """

    started_at: datetime | None = None
    attempt: int = 0
    tree_id: str | None = None
    confinement: Confinement | None = None
    evidence: Evidence | None = None
    process_exit: ProcessExit | None = None
    tree: TreeCheck | None = None
    outputs: tuple[OutputFile, ...] = ()
    outputs_refused: tuple[RefusedOutput, ...] = ()
    output_limit: str = ""
    tests: TestCounts | None = None
    claim: Finding | None = None
    notes: tuple[str, ...] = field(default=())

    def learned(self, **more: object) -> "Facts":
        """These facts and ``more``."""
        return replace(self, **more)  # type: ignore[arg-type]  # names are checked by replace itself


def compose(
    plan: JobPlan,
    facts: Facts,
    conclusion: Conclusion,
    *,
    logs: Logs,
    finished_at: datetime,
    hostname: str,
    runner_version: str,
) -> Artifact:
    """The record. The same arguments always give the same one."""
    invariants, how = check(facts.confinement, facts.evidence, facts.process_exit, facts.tree)
    end = facts.process_exit
    sandbox = (
        None
        if facts.confinement is None
        else SandboxRecord(confinement=facts.confinement, evidence=facts.evidence)
    )
    fallback = _believed(facts, conclusion)
    warnings = [*facts.notes, *(() if fallback is None else fallback.warnings)]
    if logs.stdout.truncated or logs.stderr.truncated:
        warnings.append(Warn.LOG_TRUNCATED)
    if facts.outputs_refused:
        warnings.append(Warn.OUTPUT_REFUSED)
    if facts.confinement is not None and facts.confinement.level == 0:
        warnings.append(Warn.SANDBOX_DISABLED)
    if end is not None and unestablished(invariants):
        warnings.append(Warn.INVARIANT_NOT_ESTABLISHED)
    return Artifact(
        job_id=plan.job_id,
        repo_name=plan.repo_name,
        remote_url=plan.remote_url,
        repo_source=plan.repo_source,
        sha=plan.sha,
        tree=facts.tree_id,
        job_type=plan.job_type,
        argv=plan.argv,
        params=plan.params,
        timeout_s=plan.timeout_s,
        created_at=plan.created_at,
        started_at=facts.started_at,
        finished_at=finished_at,
        duration_ms=None if end is None else end.duration_ms,
        exit_code=None if end is None else end.exit_code,
        signal=None if end is None else end.signal,
        status=conclusion.status,
        reason=conclusion.reason,
        detail=conclusion.detail,
        hostname=hostname,
        trace_id=plan.trace_id,
        input_hash=plan.input_hash,
        allowlist_hash=plan.allowlist_hash,
        wrapper_sha256=plan.wrapper_sha256,
        wrappers_hash=plan.wrappers_hash,
        stdout_path=logs.stdout.path,
        stderr_path=logs.stderr.path,
        logs=logs,
        outputs=facts.outputs,
        outputs_refused=facts.outputs_refused,
        invariants=invariants,
        invariants_how=how,
        changed_files=() if facts.tree is None else facts.tree.changed_files,
        sandbox=sandbox,
        warnings=tuple(str(warning) for warning in warnings),
        tests=facts.tests,
        size_cap_exceeded=fallback is not None,
        review_packets_archive=f"outputs/{fallback.review_packets_archive}" if fallback else None,
        review_packets_dir=f"outputs/{fallback.review_packets_dir}" if fallback else None,
        size_cap_fallback=fallback,
        attempt=facts.attempt,
        runner_version=runner_version,
    )


def _believed(facts: Facts, conclusion: Conclusion) -> SizeCapFallback | None:
    if conclusion.status is not Status.SUCCESS or facts.claim is None or facts.claim.meta is None:
        return None
    return SizeCapFallback.model_validate_json(to_json(facts.claim.meta))
