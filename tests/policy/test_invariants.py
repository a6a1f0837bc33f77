"""An invariant is true only where somebody looked, and false wherever it was seen broken."""

import pytest

from runner.model.artifact import Invariants
from runner.model.sandbox import Enforcement
from runner.policy.invariants import check, not_run, unestablished, violated
from tests.support.endings import confinement, evidence, process_exit, tree_check

ALL = ("read_only_ok", "clean_tree_ok", "head_unmoved_ok", "no_push_ok", "no_orphans_ok")


def test_all_hold_when_everything_was_measured_and_nothing_differs() -> None:
    invariants, how = check(confinement(), evidence(), process_exit(), tree_check())
    assert all(value is True for _, value in invariants)
    assert (how.read_only_ok.method, how.clean_tree_ok.method) == ("kernel", "snapshot")
    assert how.no_orphans_ok.method == "pid-namespace"


def test_a_job_that_never_ran_establishes_nothing() -> None:
    invariants, how = not_run()
    assert unestablished(invariants) == ALL
    assert all(each.method == "not-run" for _, each in how)


def test_a_tree_that_nobody_looked_at_is_not_called_clean() -> None:
    invariants, _ = check(confinement(), evidence(), process_exit(), None)
    assert unestablished(invariants) == ("clean_tree_ok", "head_unmoved_ok")


def test_a_changed_tree_breaks_read_only_whatever_the_kernel_was_said_to_enforce() -> None:
    changed = tree_check(intact=False, changed_files=("tree/a",))
    invariants, _ = check(confinement(), evidence(), process_exit(), changed)
    assert violated(invariants) == ("read_only_ok", "clean_tree_ok")


def test_a_moved_head_is_a_violation_of_its_own() -> None:
    moved = tree_check(intact=True, head_moved=True)
    invariants, _ = check(confinement(), evidence(), process_exit(), moved)
    assert violated(invariants) == ("head_unmoved_ok",)


@pytest.mark.parametrize("promise", ["fs_write", "fs_meta"])
@pytest.mark.parametrize("kept_by", [Enforcement.NONE, Enforcement.DETECTED])
def test_read_only_is_not_claimed_where_the_kernel_does_not_enforce_it(
    promise: str, kept_by: Enforcement
) -> None:
    strong = confinement()
    enforced = strong.enforced.model_copy(update={promise: kept_by})
    weak = strong.model_copy(update={"enforced": enforced})
    invariants, how = check(weak, evidence(), process_exit(), tree_check())
    assert invariants.read_only_ok is None
    assert kept_by.value in how.read_only_ok.evidence


def test_no_push_is_not_claimed_where_the_network_is_open() -> None:
    weak = confinement(net=Enforcement.NONE)
    invariants, _ = check(weak, evidence(), process_exit(), tree_check())
    assert invariants.no_push_ok is None


def test_read_only_needs_evidence_from_inside() -> None:
    for seen in (None, evidence(refused=False)):
        invariants, _ = check(confinement(), seen, process_exit(), tree_check())
        assert invariants.read_only_ok is None
        assert invariants.no_push_ok is None


def test_a_death_that_was_not_established_is_a_violation_and_unsettles_the_tree() -> None:
    undead = process_exit(proven_dead=False)
    invariants, _ = check(confinement(), evidence(), undead, tree_check())
    assert violated(invariants) == ("no_orphans_ok",)
    assert unestablished(invariants) == ("clean_tree_ok", "head_unmoved_ok")


def test_a_big_tree_says_that_its_files_are_still_to_be_compared() -> None:
    pending = tree_check(method="audit-pending")
    invariants, how = check(confinement(), evidence(), process_exit(), pending)
    assert invariants.clean_tree_ok is True
    assert how.clean_tree_ok.method == "audit-pending"


def test_violated_and_unestablished_never_name_the_same() -> None:
    some = Invariants(
        read_only_ok=None,
        clean_tree_ok=False,
        head_unmoved_ok=True,
        no_push_ok=True,
        no_orphans_ok=None,
    )
    assert violated(some) == ("clean_tree_ok",)
    assert unestablished(some) == ("read_only_ok", "no_orphans_ok")
