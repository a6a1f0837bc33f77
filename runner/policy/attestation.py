"""What the runner signs: in-toto Statements (v1) about a record, a revocation or an audit.

Sources: https://github.com/in-toto/attestation, ``spec/v1/statement.md``,
``spec/v1/digest_set.md`` and ``spec/predicates/test-result.md``.
"""

import json
from collections.abc import Mapping
from typing import Any

from runner.model.artifact import Artifact
from runner.model.job import Status

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
TEST_RESULT_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
REVOCATION_TYPE = "urn:ai-ops-runner:revocation:v1"
AUDIT_TYPE = "urn:ai-ops-runner:audit:v1"
RECORD_KEY = "urn:ai-ops-runner:job-record:v1"
RECORD_NAME = "artifact.json"
PLAN_NAME = "plan.json"


def statement(artifact: Artifact, artifact_sha256: str, files: Mapping[str, str]) -> dict[str, Any]:
    """The Statement that proves ``artifact``.

    Its subjects are the record, the job's files, and the commit and tree they are about. Commit
    and tree are subjects of their own: digests in one set are alternatives to each other, and
    another commit with the same tree isn't the one that was run.

    Args:
        artifact: The record.
        artifact_sha256: Of the exact bytes of ``artifact.json``.
        files: sha256 of ``plan.json``, the kept logs and each output, by path in the folder.
    """
    subjects = [_described(RECORD_NAME, sha256=artifact_sha256)]
    subjects += [
        _described(path, sha256=digest) for path, digest in files.items() if path != PLAN_NAME
    ]
    subjects.append(_described(f"commit of {artifact.repo_name}", gitCommit=artifact.sha))
    if artifact.tree is not None:
        subjects.append(_described(f"tree of {artifact.repo_name}", gitTree=artifact.tree))
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": TEST_RESULT_TYPE,
        "predicate": {
            "result": _result(artifact),
            "configuration": _configuration(artifact, files),
            RECORD_KEY: _about(artifact),
        },
    }


def follow_up(
    kind: str, job_id: str, artifact_sha256: str, predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """The Statement about a record that was sealed earlier: ``kind`` is one of the types above."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [_described(RECORD_NAME, sha256=artifact_sha256)],
        "predicateType": kind,
        "predicate": {"job_id": job_id, **predicate},
    }


def payload(document: Mapping[str, Any]) -> bytes:
    """The bytes of a Statement that are signed."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _result(artifact: Artifact) -> str:
    if artifact.status is not Status.SUCCESS:
        return "FAILED"  # also what never ran: this predicate knows no third answer
    return "WARNED" if artifact.warnings else "PASSED"


def _configuration(artifact: Artifact, files: Mapping[str, str]) -> list[dict[str, Any]]:
    described = [
        _described("allowlists", sha256=artifact.allowlist_hash),
        _described("wrappers", sha256=artifact.wrappers_hash),
        _described("input", sha256=artifact.input_hash),
    ]
    if PLAN_NAME in files:
        described.insert(0, _described(PLAN_NAME, sha256=files[PLAN_NAME]))
    if artifact.wrapper_sha256 is not None:
        wrapper = next((arg for arg in artifact.argv if arg.startswith("wrappers/")), "wrapper")
        described.append(_described(wrapper, sha256=artifact.wrapper_sha256))
    return described


def _about(artifact: Artifact) -> dict[str, Any]:
    confinement = artifact.sandbox.confinement if artifact.sandbox else None
    return {
        "job_id": artifact.job_id,
        "job_type": artifact.job_type,
        "repo_name": artifact.repo_name,
        "remote_url": artifact.remote_url,
        "status": artifact.status.value,
        "reason": artifact.reason,
        "exit_code": artifact.exit_code,
        "finished_at": artifact.model_dump(mode="json", include={"finished_at"})["finished_at"],
        "invariants": artifact.invariants.model_dump(),
        "sandbox": None
        if confinement is None
        else {
            "backend": confinement.backend,
            "level": confinement.level,
            "enforced": confinement.enforced.model_dump(mode="json"),
        },
        "runner_version": artifact.runner_version,
    }


def _described(name: str, **digest: str) -> dict[str, Any]:
    return {"name": name, "digest": digest}
