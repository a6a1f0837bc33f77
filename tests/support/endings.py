"""Values that a job's end is made of, with good ones as the defaults."""

from runner.model.checkout import TreeCheck
from runner.model.sandbox import (
    Confinement,
    Enforced,
    Enforcement,
    Evidence,
    MountEvidence,
    ProcessExit,
)

ALL_BY_KERNEL = Enforced(
    fs_write=Enforcement.KERNEL,
    fs_meta=Enforcement.KERNEL,
    net=Enforcement.KERNEL,
    ipc=Enforcement.KERNEL,
    pids=Enforcement.KERNEL,
    mem=Enforcement.NONE,
)


def confinement(level: int = 3, **enforced: Enforcement) -> Confinement:
    """A confinement in which the kernel enforces everything but what is named."""
    return Confinement(
        backend="bubblewrap",
        level=level,
        version="bubblewrap 0.8.0",
        binary_sha256="0" * 64,
        kernel="6.18",
        enforced=ALL_BY_KERNEL.model_copy(update=enforced),
        job_uid=64999,
        refused_attacks=("tree_write",),
        allowed_attacks=(),
    )


def evidence(*, refused: bool = True) -> Evidence:
    """Evidence of one place, at which a write was refused, or wasn't."""
    return Evidence(mounts=(MountEvidence(path="/job/tree", write_refused=refused),))


def process_exit(exit_code: int | None = 0, **changes: object) -> ProcessExit:
    """A process that ended well, except for what is named."""
    fields = {
        "exit_code": exit_code,
        "duration_ms": 5,
        "proven_dead": True,
        "death_proof": "pid-namespace",
        **changes,
    }
    return ProcessExit.model_validate(fields)


def tree_check(**changes: object) -> TreeCheck:
    """A tree that was looked at and is as it was, except for what is named."""
    return TreeCheck.model_validate({"method": "snapshot", "intact": True, **changes})
