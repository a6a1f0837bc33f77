"""The probe finds what a backend refuses by attacking it, and believes nothing else."""

import os
from pathlib import Path

import pytest

from runner.adapters.sandbox.probe import probe
from runner.adapters.sandbox.unconfined import UnconfinedBackend
from runner.model.sandbox import ProbeFindings
from runner.policy.confinement import ATTACKS, level
from tests.support import machine
from tests.support.bubblewrap_jobs import backend as bubblewrap
from tests.support.landlock_jobs import JOB_UID, PYTHON
from tests.support.landlock_jobs import backend as landlock

EVERY_ATTACK = {attack for attacks in ATTACKS.values() for attack in attacks}


def _probe(backend: object, scratch: Path) -> ProbeFindings:
    findings = probe(
        backend,  # type: ignore[arg-type]
        scratch=scratch,
        python=PYTHON,
        python_binds=(),
        job_uid=JOB_UID,
    )
    assert list(scratch.iterdir()) == []  # it leaves nothing behind
    return findings


@pytest.mark.needs_bubblewrap
def test_bubblewrap_reaches_level_three_and_every_attack_was_tried(state_dir: Path) -> None:
    findings = _probe(bubblewrap(), state_dir)
    assert findings.error == ""
    assert set(findings.attempts) == EVERY_ATTACK
    assert level(findings) == 3
    assert findings.own_metadata_writable


@pytest.mark.needs_landlock
def test_landlock_reaches_level_two(state_dir: Path) -> None:
    findings = _probe(landlock(), state_dir)
    assert findings.error == ""
    assert [name for name, refused in findings.attempts.items() if not refused] == ["host_in_view"]
    assert level(findings) == 2
    assert findings.own_metadata_writable is machine.is_root()


@pytest.mark.needs_landlock
@pytest.mark.parametrize("abi", [3, 5])
def test_an_older_landlock_is_graded_by_what_gets_through(state_dir: Path, abi: int) -> None:
    findings = _probe(landlock(newest_abi=abi), state_dir)
    assert level(findings) <= 1
    assert "other_signal" in {name for name, refused in findings.attempts.items() if not refused}


def test_where_nothing_confines_every_attack_works_that_permissions_allow(
    state_dir: Path,
) -> None:
    findings = _probe(UnconfinedBackend(job_uid=JOB_UID), state_dir)
    assert findings.error == ""
    assert level(findings) <= 1
    by_another_uid = EVERY_ATTACK - set(ATTACKS["fs_write"]) - set(ATTACKS["fs_meta"])
    expected = by_another_uid - {"runner_secret"} if os.getuid() == 0 else EVERY_ATTACK
    worked = {name for name, refused in findings.attempts.items() if not refused}
    assert expected - {"tree_xattr"} <= worked  # not every file system has user attributes


def test_a_backend_that_cannot_start_is_level_zero_with_the_reason(state_dir: Path) -> None:
    gone = bubblewrap(binary=Path("/nowhere/bwrap"))
    findings = _probe(gone, state_dir)
    assert "/nowhere/bwrap" in findings.error
    assert level(findings) == 0


@pytest.mark.needs_landlock
@pytest.mark.needs_root
def test_folders_that_root_hides_do_not_make_landlock_look_stronger(state_dir: Path) -> None:
    private = state_dir / "private"
    private.mkdir(mode=0o700)
    assert level(_probe(landlock(), private)) == 2
