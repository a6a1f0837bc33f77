"""Looks whether this installation could run a job now, and says how to mend what couldn't."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.errors import RunnerError
from runner.model.catalog import Catalog
from runner.model.sandbox import ProbeFindings
from runner.policy.confinement import LEVEL_MEANING, level

_LOW_DISK_BYTES = 1024**3


class Health(StrEnum):
    """How one thing is: it works, it works less well than it could, or it doesn't."""

    OK = "ok"
    WEAK = "weak"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, how it is, and what to do about it."""

    name: str
    health: Health
    what: str
    fix: str = ""


@dataclass(frozen=True)
class Patient:
    """What there is to look at; each is called once, and may fail."""

    catalog: Callable[[], Catalog]
    redis_version: Callable[[], str]
    key_id: Callable[[], str]
    git_version: Callable[[], str]
    probes: tuple[tuple[str, Callable[[], ProbeFindings]], ...]
    min_level: int
    state: Path


def examine(patient: Patient) -> Iterator[Finding]:
    """Every finding, one at a time, as it is made."""
    yield _tried("configuration", lambda: _catalog_words(patient.catalog()))
    yield _tried("git", patient.git_version)
    yield _tried("redis", patient.redis_version)
    yield _tried("signing key", patient.key_id)
    yield from _sandboxes(patient)
    yield _disk(patient.state)


def _tried(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, Health.OK, look())
    except RunnerError as error:
        return Finding(name, Health.BROKEN, str(error), error.remedy)
    except OSError as error:
        return Finding(name, Health.BROKEN, str(error))


def _catalog_words(catalog: Catalog) -> str:
    return (
        f"{len(catalog.job_types)} job types, {len(catalog.repos)} repositories, "
        f"{len(catalog.wrappers)} wrapper files"
    )


def _sandboxes(patient: Patient) -> Iterator[Finding]:
    """One finding a backend; broken only if none reaches the level that jobs need."""
    results = [(name, probe()) for name, probe in patient.probes]
    good_enough = any(
        not findings.error and level(findings) >= patient.min_level for _, findings in results
    )
    for name, findings in results:
        reached = level(findings)
        if not findings.error and reached >= patient.min_level:
            what = f"level {reached} by attack from inside: {LEVEL_MEANING[reached]}"
            yield Finding(f"sandbox {name}", Health.OK, what)
            continue
        allowed = [attack for attack, refused in findings.attempts.items() if not refused]
        what = findings.error or f"level {reached}; not refused: {', '.join(allowed)}"
        fix = "apt-get install bubblewrap; see docs/sandbox.md" if name == "bubblewrap" else ""
        health = Health.WEAK if good_enough else Health.BROKEN
        yield Finding(f"sandbox {name}", health, what, fix)


def _disk(state: Path) -> Finding:
    free = shutil.disk_usage(state).free
    inodes = os.statvfs(state).f_favail
    what = f"{free // 1024**2} MiB and {inodes} inodes free at {state}"
    if free < _LOW_DISK_BYTES:
        return Finding("disk", Health.WEAK, what, "runner gc, or a larger disk")
    return Finding("disk", Health.OK, what)
