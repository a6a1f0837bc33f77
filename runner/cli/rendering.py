"""Records and plans as a person reads them."""

from pathlib import Path

from runner.adapters.log_files import for_terminal
from runner.model.artifact import Artifact
from runner.model.job import Job, JobPlan
from runner.model.sandbox import Confinement
from runner.policy import record_rules

_MARKS = {True: "yes", False: "NO", None: "not established"}
_MAX_OUTPUTS = 12


def _rows(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        f"{name:<{width}}  {for_terminal(text.encode(errors='replace'))}".rstrip()
        for name, text in rows
    )


def size(count: int) -> str:
    """``count`` bytes with a binary unit."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def record_table(artifact: Artifact, folder: Path) -> str:
    """The end of a job on one screen: what came of it, what held, and where the record is."""
    rows = [("status", str(artifact.status))]
    if artifact.reason:
        rows.append(("reason", f"{artifact.reason}: {artifact.detail}"))
    if (folder / record_rules.REVOCATION_NAME).exists():
        rows.append(("REVOKED", "after it was sealed, since its tree had changed: runner verify"))
    elif record_rules.awaits_audit(artifact):
        passed = (folder / record_rules.AUDIT_NAME).exists()
        rows.append(("audit", "passed" if passed else "still to come"))
    if artifact.exit_code is not None:
        rows.append(("exit code", str(artifact.exit_code)))
    if artifact.duration_ms is not None:
        rows.append(("duration", f"{artifact.duration_ms / 1000:.3f} s"))
    for name, value in artifact.invariants:
        how = getattr(artifact.invariants_how, name)
        rows.append((name, f"{_MARKS[value]}  ({how.method}: {how.evidence})"))
    if artifact.sandbox is not None:
        confinement = artifact.sandbox.confinement
        rows.append(("sandbox", f"{confinement.backend}, level {confinement.level}"))
    if artifact.tests is not None:
        tests = artifact.tests
        counts = f"{tests.passed} passed, {tests.failed} failed, {tests.errors} errors"
        rows.append(("tests", f"{counts}, {tests.skipped} skipped, by the job's own account"))
    rows.extend(_size_cap_rows(artifact))
    rows.extend(
        ("output", f"{output.path}  {size(output.size_bytes)}")
        for output in artifact.outputs[:_MAX_OUTPUTS]
    )
    if len(artifact.outputs) > _MAX_OUTPUTS:
        rows.append(("", f"… and {len(artifact.outputs) - _MAX_OUTPUTS} more"))
    if artifact.warnings:
        rows.append(("warnings", ", ".join(artifact.warnings)))
    rows.append(("record", str(folder)))
    return _rows(rows)


def _size_cap_rows(artifact: Artifact) -> list[tuple[str, str]]:
    fallback = artifact.size_cap_fallback
    if fallback is None:
        return []
    count = fallback.packet_count
    return [
        ("size cap", f"exceeded: {count} packets hold all of the change, as was proven"),
        ("packets", str(artifact.review_packets_dir)),
        ("archive", str(artifact.review_packets_archive)),
    ]


def confinement_text(confinement: Confinement) -> str:
    """How a job would be confined on this machine, by attack from inside."""
    uid = f"under uid {confinement.job_uid}"
    kept = ", ".join(f"{name}: {by.value}" for name, by in confinement.enforced)
    return _rows(
        [
            ("sandbox   ", f"{confinement.backend}, level {confinement.level}, {uid}"),
            ("enforced  ", kept),
        ]
    )


def plan_text(plan: JobPlan) -> str:
    """What would run, and within which bounds."""
    limits = plan.limits
    rows = [
        ("job type", plan.job_type),
        ("repository", f"{plan.repo_name}  {plan.remote_url}  ({plan.repo_source})"),
        ("branches", ", ".join(plan.allowed_branches)),
        ("commit", plan.sha),
        ("argv", " ".join(plan.argv)),
        *(("param", f"{name}={value}") for name, value in plan.params.items()),
        *(("env", f"{name}={value}") for name, value in plan.env),
        ("time limit", f"{plan.timeout_s} s"),
        ("network", plan.network),
        ("memory", f"{size(limits.memory_bytes)} a process"),
        ("processes", str(limits.processes)),
        ("log", f"{size(limits.log_bytes)} a stream"),
        ("outputs", f"{size(limits.output_bytes)} in {limits.output_files} files"),
        ("python", "the runner's own environment, read-only" if plan.needs_python else "none"),
        *(("toolchain", folder) for folder in plan.toolchains),
        ("wrapper", plan.wrapper_sha256 or "none"),
        ("allowlists", plan.allowlist_hash),
    ]
    return _rows(rows)


def job_list(jobs: tuple[Job, ...]) -> str:
    """One line a job: id, status, type, repository, commit, reason."""
    if not jobs:
        return "no jobs"
    lines = [("JOB", "STATUS", "TYPE", "REPOSITORY", "COMMIT", "REASON")]
    lines += [
        (
            job.job_id,
            job.status.value,
            job.job_type,
            job.repo_name,
            job.sha[:12],
            job.reason or "",
        )
        for job in jobs
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def output_list(artifact: Artifact, folder: Path) -> str:
    """One line an output, and what was left lying."""
    lines = [
        f"{output.sha256}  {size(output.size_bytes):>10}  {folder / output.path}"
        for output in artifact.outputs
    ]
    lines += [
        f"not collected: {refused.path} ({refused.why})" for refused in artifact.outputs_refused
    ]
    return for_terminal("\n".join(lines or ["no outputs"]).encode(errors="replace"))
