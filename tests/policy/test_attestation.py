"""The Statement says what the record says, in the words of in-toto."""

import json
from pathlib import Path

import pytest

from runner.model.artifact import Artifact
from runner.model.job import Status
from runner.policy import attestation
from tests.support import records

FILES = {"plan.json": "11" * 32, "stdout.log": "22" * 32, "outputs/report.txt": "33" * 32}


@pytest.fixture
def record(tmp_path: Path) -> Artifact:
    return records.artifact(records.accept(tmp_path))


def test_its_subjects_are_the_record_its_files_the_commit_and_the_tree(record: Artifact) -> None:
    subjects = attestation.statement(record, records.HASH, FILES)["subject"]
    assert [(s["name"], s["digest"]) for s in subjects] == [
        ("artifact.json", {"sha256": records.HASH}),
        ("stdout.log", {"sha256": "22" * 32}),
        ("outputs/report.txt", {"sha256": "33" * 32}),
        ("commit of example", {"gitCommit": record.sha}),
        ("tree of example", {"gitTree": record.tree}),
    ]


def test_it_is_a_test_result_with_the_admitted_plan_as_configuration(record: Artifact) -> None:
    made = attestation.statement(record, records.HASH, FILES)
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    names = [entry["name"] for entry in made["predicate"]["configuration"]]
    assert names == ["plan.json", "allowlists", "wrappers", "input", "wrappers/local_echo.sh"]


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ({}, "PASSED"),
        ({"warnings": ("LOG_TRUNCATED",)}, "WARNED"),
        *[
            ({"status": status}, "FAILED")
            for status in Status
            if status.is_terminal and status is not Status.SUCCESS
        ],
    ],
)
def test_only_a_success_passes(record: Artifact, change: dict[str, object], result: str) -> None:
    made = attestation.statement(record.model_copy(update=change), records.HASH, FILES)
    assert made["predicate"]["result"] == result


def test_our_own_part_names_what_was_enforced(record: Artifact) -> None:
    about = attestation.statement(record, records.HASH, FILES)["predicate"][attestation.RECORD_KEY]
    assert about["sandbox"]["level"] == 3
    assert about["sandbox"]["enforced"]["fs_write"] == "kernel"
    assert about["invariants"]["clean_tree_ok"] is True
    assert about["finished_at"] == "2026-01-02T03:04:05.678Z"


def test_a_job_without_sandbox_tree_or_wrapper_has_a_statement_too(record: Artifact) -> None:
    bare = record.model_copy(update={"sandbox": None, "tree": None, "wrapper_sha256": None})
    made = attestation.statement(bare, records.HASH, {})
    assert len(made["subject"]) == 2
    assert json.loads(attestation.payload(made)) == made
