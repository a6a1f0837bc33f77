"""The strongest backend that holds is taken; none that holds is an answer, never a silence."""

import pytest

from runner.adapters.sandbox.backend import Backend
from runner.adapters.sandbox.unconfined import UnconfinedBackend
from runner.errors import UnavailableError
from runner.flows.confine import Chamber, find_chamber
from runner.model.sandbox import Enforcement, ProbeFindings
from runner.policy.confinement import ATTACKS
from tests.support.workshop import Workshop

EVERY_ATTACK = tuple(attack for attacks in ATTACKS.values() for attack in attacks)


class Named(UnconfinedBackend):
    """A backend that is only asked for its name here."""

    def __init__(self, name: str) -> None:
        super().__init__(job_uid=None)
        self.name = name


def find(*found: ProbeFindings, min_level: int = 2) -> Chamber:
    """What is chosen of backends that answer the probe like this, in this order."""
    backends: tuple[Backend, ...] = tuple(Named(findings.backend) for findings in found)
    answers = {findings.backend: findings for findings in found}
    return find_chamber(
        backends,
        lambda backend: answers[backend.name],
        min_level=min_level,
        kernel="6.1",
        job_uid=1000,
    )


def findings(name: str, *allowed: str, error: str = "") -> ProbeFindings:
    """A probe's answer in which all attacks but those ``allowed`` were refused."""
    return ProbeFindings(
        backend=name,
        version="1",
        binary_sha256=None,
        attempts={attack: attack not in allowed for attack in EVERY_ATTACK},
        error=error,
    )


def test_the_first_that_reaches_the_level_is_taken() -> None:
    chamber = find(findings("a", "net_udp"), findings("b", "host_in_view"), findings("c"))
    assert chamber.backend.name == chamber.confinement.backend == "b"
    assert chamber.confinement.level == 2
    assert chamber.confinement.allowed_attacks == ("host_in_view",)
    assert set(chamber.confinement.refused_attacks) == {*EVERY_ATTACK} - {"host_in_view"}


def test_what_is_enforced_is_what_was_refused() -> None:
    chamber = find(findings("a", "net_udp"), min_level=1)
    assert chamber.confinement.level == 1
    assert chamber.confinement.enforced.net is Enforcement.NONE
    assert chamber.confinement.enforced.fs_write is Enforcement.KERNEL


def test_a_probe_that_failed_is_no_backend_whatever_it_refused() -> None:
    with pytest.raises(UnavailableError, match="a: it broke"):
        find(findings("a", error="it broke"), min_level=0)


def test_none_that_holds_names_each_with_what_was_wrong_and_the_remedy() -> None:
    with pytest.raises(UnavailableError, match="SANDBOX_UNAVAILABLE") as caught:
        find(findings("a", error="no such program"), findings("b", "tree_write", "net_tcp"))
    assert "a: no such program" in str(caught.value)
    assert "b: level 0" in str(caught.value)
    assert "tree_write, net_tcp" in str(caught.value)
    assert "bubblewrap" in caught.value.remedy


def test_no_backend_at_all_is_no_permission() -> None:
    with pytest.raises(UnavailableError, match="none is configured"):
        find(min_level=0)


def test_the_real_ones_reach_their_level(workshop: Workshop) -> None:
    confinement = workshop.runner.chamber().confinement
    assert confinement.level == {"bubblewrap": 3, "landlock": 2}[confinement.backend]
    assert confinement.enforced.fs_write is confinement.enforced.net is Enforcement.KERNEL
    assert workshop.runner.chamber() is workshop.runner.chamber()
