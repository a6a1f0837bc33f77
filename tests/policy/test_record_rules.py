"""Rules of a record: each contradiction is named, and an honest record has none."""

from pathlib import Path

import pytest

from runner.model.artifact import (
    Artifact,
    Established,
    Invariants,
    OutputFile,
    RefusedOutput,
    SandboxRecord,
)
from runner.model.job import Status
from runner.model.sandbox import Enforcement, Evidence
from runner.policy.record_rules import contradictions
from tests.support import records


@pytest.fixture
def honest(tmp_path: Path) -> Artifact:
    return records.artifact(records.accept(tmp_path))


NOTHING_SEEN = Invariants(
    read_only_ok=None,
    clean_tree_ok=None,
    head_unmoved_ok=None,
    no_push_ok=None,
    no_orphans_ok=None,
)
_WEAK = records.CONFINEMENT.enforced.model_copy(update={"fs_meta": Enforcement.NONE})
_ONLINE = records.CONFINEMENT.enforced.model_copy(update={"net": Enforcement.DETECTED})


def _sandbox(**changes: object) -> SandboxRecord:
    confinement = records.CONFINEMENT.model_copy(update=changes)
    return SandboxRecord(confinement=confinement, evidence=records.EVIDENCE)


def test_an_honest_record_has_no_contradictions(honest: Artifact) -> None:
    assert list(contradictions(honest)) == []


def test_a_job_that_never_ran_has_none_either(honest: Artifact) -> None:
    rejected = honest.model_copy(
        update={
            "status": Status.REJECTED,
            "reason": "SHA_NOT_FOUND",
            "exit_code": None,
            "started_at": None,
            "invariants": NOTHING_SEEN,
            "sandbox": None,
            "tree": None,
        }
    )
    assert list(contradictions(rejected)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"exit_code": 1},
        {"exit_code": None},
        {"signal": 9},
        {"reason": "EXIT_CODE"},
        {"started_at": None},
        {"status": Status.RUNNING},
        {"status": Status.FAILURE},
        {"changed_files": ("a",)},
        {"sandbox": None},
        {"sandbox": _sandbox(enforced=_WEAK)},
        {"sandbox": _sandbox(enforced=_ONLINE)},
        {"sandbox": SandboxRecord(confinement=records.CONFINEMENT, evidence=None)},
        {"sandbox": SandboxRecord(confinement=records.CONFINEMENT, evidence=Evidence(mounts=()))},
        {"invariants": NOTHING_SEEN.model_copy(update={"clean_tree_ok": False})},
        {"outputs_refused": (RefusedOutput(path="x", why="a FIFO"),)},
        {
            "outputs": (
                OutputFile(
                    path="outputs/../plan.json",
                    size_bytes=0,
                    sha256=records.HASH,
                    media_type="text/plain",
                ),
            )
        },
    ],
    ids=str,
)
def test_each_contradiction_is_found(honest: Artifact, change: dict[str, object]) -> None:
    assert list(contradictions(honest.model_copy(update=change)))


@pytest.mark.parametrize("method", ["none", "not-run", ""])
def test_an_invariant_claimed_without_a_method_is_found(honest: Artifact, method: str) -> None:
    how = honest.invariants_how.model_copy(
        update={"clean_tree_ok": Established(method=method, evidence="")}
    )
    assert list(contradictions(honest.model_copy(update={"invariants_how": how})))


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../stdout.log"},
        {"truncated": True},
        {"dropped_bytes": 1},
        {"bytes": -1},
        {"dropped_bytes": 10, "truncated": True},
    ],
    ids=str,
)
def test_a_log_that_cannot_be_is_found(honest: Artifact, change: dict[str, object]) -> None:
    stdout = honest.logs.stdout.model_copy(update=change)
    logs = honest.logs.model_copy(update={"stdout": stdout})
    assert list(contradictions(honest.model_copy(update={"logs": logs})))
