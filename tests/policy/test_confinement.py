"""The level is what attacks were refused; one that wasn't tried counts as lost."""

import pytest

from runner.model.sandbox import NOTHING_ENFORCED, Enforcement, ProbeFindings
from runner.policy.confinement import ATTACKS, UNCONFINED, enforced, level

EVERY_ATTACK = tuple(attack for attacks in ATTACKS.values() for attack in attacks)


def _findings(*, allowed: tuple[str, ...] = (), untried: tuple[str, ...] = ()) -> ProbeFindings:
    return ProbeFindings(
        backend="x",
        version="1",
        binary_sha256=None,
        attempts={name: name not in allowed for name in EVERY_ATTACK if name not in untried},
    )


def test_everything_refused_is_level_three() -> None:
    assert level(_findings()) == 3


def test_a_host_in_view_is_level_two() -> None:
    assert level(_findings(allowed=("host_in_view",))) == 2


@pytest.mark.parametrize("promise", ["fs_meta", "net", "ipc", "pids"])
def test_one_attack_that_works_lowers_the_level_to_one(promise: str) -> None:
    for attack in ATTACKS[promise]:
        findings = _findings(allowed=(attack,))
        assert level(findings) == 1
        assert getattr(enforced(findings), promise) is Enforcement.NONE


@pytest.mark.parametrize("attack", ATTACKS["fs_write"])
def test_a_tree_that_can_be_written_is_level_zero(attack: str) -> None:
    assert level(_findings(allowed=(attack,))) == 0


@pytest.mark.parametrize("attack", EVERY_ATTACK)
def test_an_attack_that_was_not_tried_never_counts_as_refused(attack: str) -> None:
    assert level(_findings(untried=(attack,))) < 3


def test_a_probe_that_could_not_be_run_shows_nothing() -> None:
    failed = _findings().model_copy(update={"error": "no bwrap"})
    assert level(failed) == 0
    assert enforced(failed) == NOTHING_ENFORCED


def test_what_no_backend_refused_is_not_its_merit() -> None:
    """Another uid is refused writes by the tree's modes alone; that is no sandbox."""
    assert level(_findings().model_copy(update={"backend": UNCONFINED})) == 0
