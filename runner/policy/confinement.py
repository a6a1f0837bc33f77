"""Which level of confinement a backend is seen to reach, and what that lets a record say.

The level is what a hostile micro-job was *refused*, never what a backend was asked for: a
version number or the presence of a program proves nothing.
"""

from runner.errors import RefusedError
from runner.model.job import JobPlan, Reason
from runner.model.sandbox import (
    NOTHING_ENFORCED,
    Confinement,
    Enforced,
    Enforcement,
    ProbeFindings,
)

ATTACKS = {
    "fs_write": ("tree_write", "tree_create", "tree_unlink", "tree_rename", "git_dir_write"),
    "fs_meta": ("tree_chmod", "tree_utime", "tree_xattr", "tree_hard_link_out"),
    "net": ("net_tcp", "net_udp", "net_unix_path", "net_unix_abstract"),
    "ipc": ("other_signal", "other_environ", "runner_secret"),
    "pids": ("daemon_outlives",),
    "view": ("host_in_view",),
}
"""What each promise is attacked with; the names that ``ProbeFindings.attempts`` uses."""

UNCONFINED = "none"
"""The name of the backend that is none."""

LEVEL_MEANING = {
    3: "namespaces: the job sees nothing of the host but what it was given",
    2: "every attack on tree, network, processes and secrets refused; the host is in view",
    1: "content of the tree can't be changed; other things can",
    0: "nothing is enforced",
}


def enforced(findings: ProbeFindings) -> Enforced:
    """What the kernel enforces, by promise: only where every attack on it was refused."""
    if findings.error:
        return NOTHING_ENFORCED
    kept = {
        promise: Enforcement.KERNEL if _all_refused(findings, attacks) else Enforcement.NONE
        for promise, attacks in ATTACKS.items()
        if promise != "view"
    }
    return Enforced(**kept, mem=Enforcement.NONE)


def level(findings: ProbeFindings) -> int:
    """0 to 3, as in ``LEVEL_MEANING``.

    Without a backend it is 0 whatever was refused: under another uid the tree's modes refuse
    writes too, but nothing that this program did.
    """
    if findings.backend == UNCONFINED:
        return 0
    if findings.error or not _all_refused(findings, ATTACKS["fs_write"]):
        return 0
    others = (ATTACKS["fs_meta"], ATTACKS["net"], ATTACKS["ipc"], ATTACKS["pids"])
    if not all(_all_refused(findings, attacks) for attacks in others):
        return 1
    return 3 if _all_refused(findings, ATTACKS["view"]) else 2


def can_run_here(plan: JobPlan, confinement: Confinement) -> None:
    """Returns if the plan's job can do what it must under ``confinement``.

    It is better told before the job starts than left to fail half-way.

    Raises:
        RefusedError: ``NEEDS_METADATA_WRITES``.
    """
    if plan.needs_metadata_writes and not confinement.own_metadata_writable:
        raise RefusedError(
            Reason.NEEDS_METADATA_WRITES,
            f"{plan.job_type} has to set modes and times in its own folders, which the backend "
            f"{confinement.backend} refuses everywhere when jobs run under the runner's own uid",
            remedy="install bubblewrap, or run the runner as root so that jobs get their own uid",
        )


def _all_refused(findings: ProbeFindings, attacks: tuple[str, ...]) -> bool:
    """Whether each of ``attacks`` was tried and refused; one that wasn't tried counts as lost."""
    return bool(attacks) and all(findings.attempts.get(attack, False) for attack in attacks)
