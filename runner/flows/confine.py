"""Finds the strongest backend that really confines on this machine, or says what to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.adapters.sandbox.backend import Backend
from runner.errors import UnavailableError
from runner.model.sandbox import Confinement, ProbeFindings
from runner.policy.confinement import LEVEL_MEANING, enforced, level


@dataclass(frozen=True)
class Chamber:
    """A backend, and what it was seen to enforce."""

    backend: Backend
    confinement: Confinement


def find_chamber(
    backends: Sequence[Backend],
    probe: Callable[[Backend], ProbeFindings],
    *,
    min_level: int,
    kernel: str,
    job_uid: int,
) -> Chamber:
    """The first of ``backends`` that reaches ``min_level`` when it is attacked from inside.

    Raises:
        UnavailableError: ``SANDBOX_UNAVAILABLE``: none does; the message names each with what
            was wrong. Nothing may run then.
    """
    shortfalls = []
    for backend in backends:
        findings = probe(backend)
        reached = level(findings)
        if reached >= min_level and not findings.error:
            return Chamber(backend, _confinement(findings, reached, kernel, job_uid))
        shortfalls.append(f"{backend.name}: {_shortfall(findings, reached)}")
    raise UnavailableError(
        "SANDBOX_UNAVAILABLE",
        f"no backend reaches level {min_level} on this machine; "
        + ("; ".join(shortfalls) or "none is configured"),
        remedy="install bubblewrap (apt-get install bubblewrap) and allow unprivileged user "
        "namespaces, or use a kernel with Landlock ABI 6 or later; see docs/sandbox.md",
    )


def _confinement(findings: ProbeFindings, reached: int, kernel: str, job_uid: int) -> Confinement:
    return Confinement(
        backend=findings.backend,
        level=reached,
        version=findings.version,
        binary_sha256=findings.binary_sha256,
        kernel=kernel,
        enforced=enforced(findings),
        job_uid=job_uid,
        refused_attacks=tuple(name for name, refused in findings.attempts.items() if refused),
        allowed_attacks=tuple(name for name, refused in findings.attempts.items() if not refused),
        own_metadata_writable=findings.own_metadata_writable,
    )


def _shortfall(findings: ProbeFindings, reached: int) -> str:
    if findings.error:
        return findings.error
    allowed = ", ".join(name for name, refused in findings.attempts.items() if not refused)
    return f"level {reached} ({LEVEL_MEANING[reached]}); not refused: {allowed}"
