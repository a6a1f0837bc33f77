"""Which invariants held for a job, and how that is known.

Nothing is true because nobody looked: an invariant without evidence is null, and a null can't be
read as a yes. One that was seen broken is false whoever enforced it.
"""

from runner.model.artifact import Established, Invariants, InvariantsHow
from runner.model.checkout import TreeCheck
from runner.model.sandbox import Confinement, Enforcement, Evidence, ProcessExit

Answer = tuple[bool | None, Established]

_NOT_RUN = "the job's own code never ran"


def check(
    confinement: Confinement | None,
    evidence: Evidence | None,
    process_exit: ProcessExit | None,
    tree: TreeCheck | None,
) -> tuple[Invariants, InvariantsHow]:
    """Each invariant's value and how it was established.

    Args:
        confinement: What the backend was seen to refuse; null if none was there.
        evidence: Taken inside the sandbox before the job's code; null if none was taken.
        process_exit: How the job's process ended; null if it never started.
        tree: What became of the checkout; null if it wasn't looked at.
    """
    answers = {
        "read_only_ok": _read_only(confinement, evidence, process_exit, tree),
        "clean_tree_ok": _clean_tree(process_exit, tree),
        "head_unmoved_ok": _head_unmoved(process_exit, tree),
        "no_push_ok": _no_push(confinement, evidence, process_exit),
        "no_orphans_ok": _no_orphans(process_exit),
    }
    return (
        Invariants(**{name: value for name, (value, _) in answers.items()}),
        InvariantsHow(**{name: how for name, (_, how) in answers.items()}),
    )


def not_run() -> tuple[Invariants, InvariantsHow]:
    """The invariants of a job whose own code never ran: none was put to the test."""
    return check(None, None, None, None)


def violated(invariants: Invariants) -> tuple[str, ...]:
    """The names of those that are false, in the record's order."""
    return tuple(name for name, value in invariants if value is False)


def unestablished(invariants: Invariants) -> tuple[str, ...]:
    """The names of those that are null, in the record's order."""
    return tuple(name for name, value in invariants if value is None)


def _read_only(
    confinement: Confinement | None,
    evidence: Evidence | None,
    process_exit: ProcessExit | None,
    tree: TreeCheck | None,
) -> Answer:
    if process_exit is None or confinement is None:
        return None, Established(method="not-run", evidence=_NOT_RUN)
    if tree is not None and not tree.intact:
        return False, Established(method=tree.method, evidence="the tree changed during the job")
    if evidence is None or not evidence.all_refused:
        return None, Established(method="none", evidence="no evidence from inside the sandbox")
    enforced = confinement.enforced
    if (enforced.fs_write, enforced.fs_meta) != (Enforcement.KERNEL, Enforcement.KERNEL):
        return None, Established(
            method="none",
            evidence=f"{confinement.backend} enforces fs_write: {enforced.fs_write}, "
            f"fs_meta: {enforced.fs_meta}",
        )
    return True, Established(
        method="kernel",
        evidence=f"{confinement.backend}: writes to {len(evidence.mounts)} read-only places "
        f"refused inside before the job began; {evidence.identity}".rstrip("; "),
    )


def _clean_tree(process_exit: ProcessExit | None, tree: TreeCheck | None) -> Answer:
    if process_exit is None:
        return None, Established(method="not-run", evidence=_NOT_RUN)
    if tree is None:
        return None, Established(method="none", evidence="the tree wasn't looked at")
    if not tree.intact:
        return False, Established(
            method=tree.method, evidence=f"{len(tree.changed_files)} entries differ"
        )
    if not process_exit.proven_dead:
        return None, Established(method="none", evidence="a process of the job may be alive")
    what = (
        "the entry's identity is unchanged; every file is still to be compared with the snapshot "
        f"{tree.snapshot_sha256}"
        if tree.method == "audit-pending"
        else "every entry's inode, mode, owner, links, size and times are as they were sealed"
    )
    return True, Established(method=tree.method, evidence=what)


def _head_unmoved(process_exit: ProcessExit | None, tree: TreeCheck | None) -> Answer:
    if process_exit is None:
        return None, Established(method="not-run", evidence=_NOT_RUN)
    if tree is None:
        return None, Established(method="none", evidence="the git directory wasn't looked at")
    if tree.head_moved:
        return False, Established(method=tree.method, evidence="the git directory changed")
    if not process_exit.proven_dead:
        return None, Established(method="none", evidence="a process of the job may be alive")
    return True, Established(method=tree.method, evidence="the git directory is as it was sealed")


def _no_push(
    confinement: Confinement | None, evidence: Evidence | None, process_exit: ProcessExit | None
) -> Answer:
    if process_exit is None or confinement is None:
        return None, Established(method="not-run", evidence=_NOT_RUN)
    enforced = confinement.enforced
    if enforced.net is not Enforcement.KERNEL or enforced.fs_write is not Enforcement.KERNEL:
        return None, Established(
            method="none", evidence=f"{confinement.backend} enforces net: {enforced.net}"
        )
    if evidence is None or not evidence.all_refused:
        return None, Established(method="none", evidence="no evidence from inside the sandbox")
    return True, Established(
        method="kernel",
        evidence=f"{confinement.backend}: no network, no host socket, object store read-only, "
        "no credential given",
    )


def _no_orphans(process_exit: ProcessExit | None) -> Answer:
    if process_exit is None:
        return None, Established(method="not-run", evidence=_NOT_RUN)
    if process_exit.death_proof == "none":
        return None, Established(method="none", evidence="the backend can't establish it")
    if not process_exit.proven_dead:
        return False, Established(
            method=process_exit.death_proof, evidence="the end of a process wasn't established"
        )
    killed = "" if process_exit.orphans is None else f"; {process_exit.orphans} had to be killed"
    return True, Established(
        method=process_exit.death_proof,
        evidence=f"every process of the job was dead before anything of it was read{killed}",
    )
