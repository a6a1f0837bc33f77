"""One finding for each thing that jobs need, whatever else is broken."""

from pathlib import Path

import pytest

from runner.errors import ConfigurationError, UnavailableError
from runner.flows.doctor import Finding, Health, Patient, examine
from runner.model.catalog import Catalog
from runner.model.sandbox import ProbeFindings
from tests.flows.test_confine import findings
from tests.support import catalogs


def patient(state: Path, *probes: ProbeFindings, **parts: object) -> Patient:
    """A healthy installation, with ``parts`` replaced."""
    usual: dict[str, object] = {
        "catalog": catalogs.catalog,
        "redis_version": lambda: "valkey 9",
        "key_id": lambda: "ed25519 abc",
        "git_version": lambda: "git version 2",
        "probes": tuple((probe.backend, lambda probe=probe: probe) for probe in probes),
        "min_level": 2,
        "state": state,
    }
    return Patient(**(usual | parts))  # type: ignore[arg-type]


def examined(patient: Patient) -> dict[str, Finding]:
    """The findings by name."""
    return {finding.name: finding for finding in examine(patient)}


def test_a_healthy_installation_has_nothing_broken(tmp_path: Path) -> None:
    found = examined(patient(tmp_path, findings("bubblewrap")))
    assert set(found) == {
        *("configuration", "git", "redis", "signing key", "sandbox bubblewrap", "disk")
    }
    assert Health.BROKEN not in {finding.health for finding in found.values()}


def test_one_broken_thing_does_not_hide_the_others(tmp_path: Path) -> None:
    def broken() -> Catalog:
        raise ConfigurationError("CONFIG_INVALID", "line 3", remedy="mend it")

    def away() -> str:
        raise UnavailableError("REDIS_UNAVAILABLE", "it doesn't answer")

    def unreadable() -> str:
        raise PermissionError(13, "Permission denied")

    found = examined(
        patient(
            tmp_path,
            findings("landlock", "host_in_view"),
            catalog=broken,
            redis_version=away,
            key_id=unreadable,
        )
    )
    assert [name for name, finding in found.items() if finding.health is Health.BROKEN] == [
        "configuration",
        "redis",
        "signing key",
    ]
    assert found["configuration"].fix == "mend it"
    assert found["sandbox landlock"].health is Health.OK


@pytest.mark.parametrize(
    ("second", "health"), [(findings("b"), Health.WEAK), (findings("b", "net_tcp"), Health.BROKEN)]
)
def test_a_backend_that_does_not_hold_is_broken_only_if_no_other_does(
    tmp_path: Path, second: ProbeFindings, health: Health
) -> None:
    found = examined(patient(tmp_path, findings("a", "tree_write"), second))
    assert found["sandbox a"].health is health
    assert "tree_write" in found["sandbox a"].what


def test_a_probe_that_could_not_run_says_why(tmp_path: Path) -> None:
    found = examined(patient(tmp_path, findings("bubblewrap", error="no such program")))
    assert found["sandbox bubblewrap"].health is Health.BROKEN
    assert "no such program" in found["sandbox bubblewrap"].what
    assert "apt-get install bubblewrap" in found["sandbox bubblewrap"].fix
