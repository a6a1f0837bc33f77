"""What ``runner verify`` finds out, and what it can't."""

import shutil
from pathlib import Path

import pytest

from runner.adapters.job_folders import JobFolder
from runner.adapters.signing import Signer, load_or_create
from runner.errors import NotFoundError
from runner.flows.seal import seal
from runner.flows.verify import verify
from runner.model.artifact import Artifact, Established
from runner.model.verification import CheckState, Verdict
from runner.policy import attestation
from tests.support import records


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return load_or_create(tmp_path / "keys")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def states(folder: JobFolder, signer: Signer) -> dict[str, CheckState]:
    """Each check's outcome for somebody who trusts ``signer``."""
    return {check.name: check.state for check in verify(folder.path, records.trust(signer)).checks}


def note(folder: JobFolder, signer: Signer, kind: str, name: str, **predicate: str) -> None:
    """Puts a signed follow-up beside the record."""
    record = folder.sealed()
    digest = attestation_digest(folder)
    statement = attestation.follow_up(kind, record.job_id, digest, predicate)
    envelope = signer.sign_envelope(attestation.payload(statement), attestation.PAYLOAD_TYPE)
    assert folder.attach(name, envelope)


def attestation_digest(folder: JobFolder) -> str:
    """sha256 of the sealed record."""
    sums = (folder.path / "SHA256SUMS").read_text()
    return next(line[:64] for line in sums.splitlines() if line.endswith("  artifact.json"))


def awaiting_audit(folder: JobFolder) -> Artifact:
    """A record whose tree is still to be compared in full."""
    record = records.artifact(folder)
    how = record.invariants_how.model_copy(
        update={"clean_tree_ok": Established(method="audit-pending", evidence="later")}
    )
    return record.model_copy(update={"invariants_how": how})


def test_a_sealed_record_is_valid_and_every_check_is_named(root: Path, signer: Signer) -> None:
    folder = records.sealed(root, signer)
    got = verify(folder.path, records.trust(signer))
    assert got.overall is Verdict.VALID
    assert got.overall.exit_code == 0
    assert (got.job_id, got.signed_by) == (records.JOB_ID, signer.key_id)
    assert [check.name for check in got.checks] == [
        "record",
        "consistent",
        "plan",
        "checksums",
        "files",
        "nothing else",
        "signature",
        "statement",
    ]


def test_a_copy_elsewhere_is_as_valid(root: Path, signer: Signer, tmp_path: Path) -> None:
    folder = records.sealed(root, signer)
    shutil.copytree(folder.path, tmp_path / "download")
    assert verify(tmp_path / "download", records.trust(signer)).overall is Verdict.VALID


def test_without_a_trusted_key_it_is_integrity_only(root: Path, signer: Signer) -> None:
    got = verify(records.sealed(root, signer).path, {})
    assert (got.overall, got.overall.exit_code) == (Verdict.INTEGRITY_ONLY, 3)
    assert got.signed_by is None


def test_a_job_that_has_not_ended_has_no_valid_record(root: Path, signer: Signer) -> None:
    got = verify(records.accept(root).path, records.trust(signer))
    assert (got.overall, got.overall.exit_code) == (Verdict.INVALID, 5)


def test_no_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="RECORD_UNKNOWN"):
        verify(tmp_path / "nowhere", {})


def test_a_truncated_log_verifies_by_what_was_kept(root: Path, signer: Signer) -> None:
    folder = records.accept(root)
    logs = records.write_logs(folder, b"x" * 100_000, b"", cap_bytes=4096)
    record = records.artifact(folder, logs, warnings=("LOG_TRUNCATED",))
    assert seal(folder, record, signer)
    assert verify(folder.path, records.trust(signer)).overall is Verdict.VALID


def test_a_revoked_record_is_invalid(root: Path, signer: Signer) -> None:
    folder = records.sealed(root, signer)
    note(folder, signer, attestation.REVOCATION_TYPE, "revocation.json", reason="tree differs")
    got = verify(folder.path, records.trust(signer))
    assert got.overall is Verdict.INVALID
    assert "tree differs" in got.checks[-1].what


def test_a_revocation_by_a_stranger_is_not_believed_and_not_ignored(
    root: Path, signer: Signer, tmp_path: Path
) -> None:
    folder = records.sealed(root, signer)
    stranger = load_or_create(tmp_path / "strangers")
    note(folder, stranger, attestation.REVOCATION_TYPE, "revocation.json", reason="spite")
    got = verify(folder.path, records.trust(signer))
    assert got.overall is not Verdict.VALID


@pytest.mark.parametrize(
    ("outcome", "verdict"), [("passed", Verdict.VALID), ("failed", Verdict.INVALID)]
)
def test_a_record_that_awaits_its_audit_is_decided_by_it(
    root: Path, signer: Signer, outcome: str, verdict: Verdict
) -> None:
    folder = records.accept(root)
    assert seal(folder, awaiting_audit(folder), signer)
    assert verify(folder.path, records.trust(signer)).overall is Verdict.INTEGRITY_ONLY
    note(folder, signer, attestation.AUDIT_TYPE, "audit.json", outcome=outcome)
    assert verify(folder.path, records.trust(signer)).overall is verdict


def test_an_audit_by_a_stranger_leaves_it_open(root: Path, signer: Signer, tmp_path: Path) -> None:
    folder = records.accept(root)
    assert seal(folder, awaiting_audit(folder), signer)
    stranger = load_or_create(tmp_path / "strangers")
    note(folder, stranger, attestation.AUDIT_TYPE, "audit.json", outcome="passed")
    assert verify(folder.path, records.trust(signer)).overall is not Verdict.VALID


def test_an_audit_of_another_record_is_none_of_this_one(
    root: Path, signer: Signer, tmp_path: Path
) -> None:
    other = records.sealed(tmp_path / "other", signer, hostname="elsewhere")
    note(other, signer, attestation.AUDIT_TYPE, "audit.json", outcome="passed")
    folder = records.sealed(root, signer)
    assert folder.attach("audit.json", (other.path / "audit.json").read_bytes())
    assert states(folder, signer)["audit"] is CheckState.FAILED


def test_a_note_of_the_pump_that_survived_is_part_of_the_record(root: Path, signer: Signer) -> None:
    """Only with the bytes that the record gives it: the name alone lets nothing in."""
    folder = records.sealed(root, signer)
    path = folder.path / "stdout.log.closed"
    path.write_text(folder.sealed().logs.stdout.model_dump_json())
    assert states(folder, signer)["nothing else"] is CheckState.OK
    path.write_text("anything else")
    assert states(folder, signer)["nothing else"] is CheckState.FAILED
