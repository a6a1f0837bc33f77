"""Whether a record can be believed: what contradicts itself, or what lies beside it.

Each rule is a small function that yields what is wrong, in words; yielding nothing is a pass.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from runner.model.artifact import Artifact, LogRecord
from runner.model.ids import is_job_id
from runner.model.job import JobPlan, Status, Warn
from runner.model.sandbox import Enforcement
from runner.model.shown import shown
from runner.policy import attestation
from runner.policy.invariants import violated
from runner.policy.size_cap_rules import size_cap_contradictions

SUMS_NAME = "SHA256SUMS"
ENVELOPE_NAME = "artifact.dsse.json"
AUDIT_NAME = "audit.json"
REVOCATION_NAME = "revocation.json"
RESERVE_NAME = "reserve"
_BESIDE = {SUMS_NAME, ENVELOPE_NAME, AUDIT_NAME, REVOCATION_NAME}


def named_files(artifact: Artifact) -> dict[str, str | None]:
    """Every file that the record stands for, and the digest that the record itself gives it."""
    named: dict[str, str | None] = {attestation.RECORD_NAME: None, attestation.PLAN_NAME: None}
    for log in (artifact.logs.stdout, artifact.logs.stderr):
        named[log.path] = log.kept_sha256
    return named | {output.path: output.sha256 for output in artifact.outputs}


def checksums_differ(sums: Mapping[str, str], actual: Mapping[str, str]) -> Iterator[str]:
    """Files that don't have the digest that SHA256SUMS gives them."""
    for path, digest in sums.items():
        if path not in actual:
            yield f"{shown(path)} is missing"
        elif actual[path] != digest:
            yield f"{shown(path)} has sha256 {actual[path]}, expected {digest}"


def checksums_incomplete(sums: Mapping[str, str], artifact: Artifact) -> Iterator[str]:
    """Files that only one of SHA256SUMS and the record names."""
    named = named_files(artifact)
    for path in sorted(set(sums) ^ set(named)):
        where = SUMS_NAME if path in sums else attestation.RECORD_NAME
        yield f"only {where} names {shown(path)}"


def strangers(
    paths: Mapping[str, int], actual: Mapping[str, str], artifact: Artifact
) -> Iterator[str]:
    """What lies in the folder without being part of the record.

    Three things may be left where the runner was killed in the moment after sealing, and all are
    known to the byte: a second name of ``artifact.json``, what the log pump noted at its end, and
    the emptied file that kept space free.

    Args:
        paths: Inode by path.
        actual: sha256 by path, of the regular files.
        artifact: The record.
    """
    named = set(named_files(artifact)) | _BESIDE
    own = paths.get(attestation.RECORD_NAME)
    notes = {
        f"{log.path}.closed": hashlib.sha256(log.model_dump_json().encode()).hexdigest()
        for log in (artifact.logs.stdout, artifact.logs.stderr)
    } | {RESERVE_NAME: hashlib.sha256(b"").hexdigest()}
    for path in sorted(set(paths) - named):
        second_name = path.startswith(f".{attestation.RECORD_NAME}.") and paths[path] == own
        if not second_name and (path not in notes or actual.get(path) != notes[path]):
            yield f"{shown(path)} isn't part of the record"


def files_differ(
    sizes: Mapping[str, int], actual: Mapping[str, str], artifact: Artifact
) -> Iterator[str]:
    """Logs and outputs that aren't as the record describes them."""
    for path, digest in named_files(artifact).items():
        if digest is not None and actual.get(path) != digest:
            yield f"{shown(path)} isn't what the record describes"
    for output in artifact.outputs:
        if sizes.get(output.path) != output.size_bytes:
            yield f"{shown(output.path)} has another size"
    for log in (artifact.logs.stdout, artifact.logs.stderr):
        if not log.truncated and sizes.get(log.path) != log.bytes:
            yield f"{log.path} has another size"
        if not log.truncated and log.sha256 not in (None, log.kept_sha256):
            yield f"{log.path} is whole, but two digests are given for it"


def plan_differs(plan: JobPlan, artifact: Artifact) -> Iterator[str]:
    """What the record says otherwise than the plan that was admitted."""
    fields = (
        "job_id job_type repo_name remote_url repo_source sha params argv timeout_s created_at "
        "input_hash allowlist_hash wrapper_sha256 wrappers_hash trace_id"
    )
    for field in fields.split():
        if getattr(plan, field) != getattr(artifact, field):
            yield f"{field} isn't the plan's"


def misplaced(folder_name: str, artifact: Artifact) -> Iterator[str]:
    """A record in the folder of another job: who asks about that one must not be shown this one."""
    if is_job_id(folder_name) and folder_name != artifact.job_id:
        yield f"it is the record of job {artifact.job_id}, in the folder of {folder_name}"


def contradictions(artifact: Artifact) -> Iterator[str]:
    """What can't all be true in one record, whoever signed it."""
    yield from _status_contradictions(artifact)
    yield from _invariant_contradictions(artifact)
    for log in (artifact.logs.stdout, artifact.logs.stderr):
        yield from _log_contradictions(log)
    truncated = artifact.logs.stdout.truncated or artifact.logs.stderr.truncated
    if truncated and Warn.LOG_TRUNCATED not in artifact.warnings:
        yield "a log was truncated without a warning"
    if artifact.outputs_refused and Warn.OUTPUT_REFUSED not in artifact.warnings:
        yield "an output was refused without a warning"
    yield from size_cap_contradictions(artifact)
    paths = [output.path for output in artifact.outputs]
    if len(set(paths)) != len(paths):
        yield "an output is named twice"
    for path in paths:
        if not path.startswith("outputs/") or {"", ".", ".."} & set(path.split("/")):
            yield f"the output {shown(path)} isn't below outputs/"


def statement_differs(
    statement: Mapping[str, Any], artifact: Artifact, digest: str, files: Mapping[str, str]
) -> Iterator[str]:
    """What the signed Statement says otherwise than the record and the files.

    A later version may say more about a record, so keys that only we know are no contradiction.

    Args:
        statement: What was signed.
        artifact: The record.
        digest: sha256 of its bytes as they lie there.
        files: sha256 of the files that it names, as they lie there.
    """
    expected = attestation.statement(artifact, digest, files)
    for key in ("_type", "predicateType", "subject"):
        if statement.get(key) != expected[key]:
            yield f"{key} isn't that of this record and these files"
    predicate = statement.get("predicate")
    if not isinstance(predicate, dict):
        yield "there is no predicate"
        return
    for key in ("result", "configuration"):
        if predicate.get(key) != expected["predicate"][key]:
            yield f"{key} isn't that of this record"
    about, ours = predicate.get(attestation.RECORD_KEY), expected["predicate"]
    if not isinstance(about, dict):
        yield "it says nothing about the job"
        return
    for key, value in about.items():
        if key in ours[attestation.RECORD_KEY] and ours[attestation.RECORD_KEY][key] != value:
            yield f"{key} isn't that of this record"


def follow_up_differs(
    statement: Mapping[str, Any], kind: str, artifact: Artifact, digest: str
) -> Iterator[str]:
    """Why a signed audit or revocation isn't one of this record."""
    expected = attestation.follow_up(kind, artifact.job_id, digest, {})
    for key in ("_type", "predicateType", "subject"):
        if statement.get(key) != expected[key]:
            yield f"{key} isn't that of this record"
    predicate = statement.get("predicate")
    if not isinstance(predicate, dict) or predicate.get("job_id") != artifact.job_id:
        yield "it is about another job"


def awaits_audit(artifact: Artifact, snapshot_sha256: str = "") -> bool:
    """Whether the record isn't final before an auditor has passed it.

    Args:
        artifact: The record.
        snapshot_sha256: Only if it is the checkout with this snapshot that is to be compared: one
            that was built anew says nothing about the one before.
    """
    how = artifact.invariants_how.clean_tree_ok
    return how.method == "audit-pending" and how.evidence.endswith(snapshot_sha256)


def _status_contradictions(artifact: Artifact) -> Iterator[str]:
    broken = violated(artifact.invariants)
    if not artifact.status.is_terminal:
        yield f"{artifact.status} isn't how a job ends"
    if artifact.status is Status.SUCCESS:
        if artifact.exit_code != 0 or artifact.signal is not None:
            yield f"success with exit code {artifact.exit_code}"
        if artifact.reason is not None:
            yield f"success with the reason {shown(artifact.reason)}"
        if artifact.started_at is None:
            yield "success of a job that never started"
    elif artifact.reason is None:
        yield f"{artifact.status} without a reason"
    if broken and artifact.status is not Status.FAILURE:
        yield f"{', '.join(broken)} violated, and the status is {artifact.status}"


def _invariant_contradictions(artifact: Artifact) -> Iterator[str]:
    held = {name for name, value in artifact.invariants if value is True}
    for name, how in artifact.invariants_how:
        if name in held and how.method in ("none", "not-run", ""):
            yield f"{name} is claimed without a method"
    if artifact.changed_files and "clean_tree_ok" in held and "head_unmoved_ok" in held:
        yield "changed files, and yet a clean tree"
    sandbox = artifact.sandbox
    if held and sandbox is None:
        yield "invariants are claimed to hold without a sandbox"
    if sandbox is None:
        return
    enforced = sandbox.confinement.enforced
    evident = sandbox.evidence is not None and sandbox.evidence.all_refused
    by_kernel = enforced.fs_write is enforced.fs_meta is Enforcement.KERNEL
    if "read_only_ok" in held and not (by_kernel and evident):
        yield "read_only_ok is claimed without the kernel's enforcement or evidence of it"
    if "no_push_ok" in held and not (enforced.net is Enforcement.KERNEL and evident):
        yield "no_push_ok is claimed without the kernel's enforcement or evidence of it"


def _log_contradictions(log: LogRecord) -> Iterator[str]:
    if log.path not in ("stdout.log", "stderr.log"):
        yield f"a log called {shown(log.path)}"
    if log.truncated != (log.dropped_bytes > 0):
        yield f"{log.path}: truncated and dropped_bytes disagree"
    if min(log.bytes, log.head_bytes, log.dropped_bytes) < 0:
        yield f"{log.path}: a count below zero"
    if log.head_bytes + log.dropped_bytes > log.bytes:
        yield f"{log.path}: more was left out than there was"
