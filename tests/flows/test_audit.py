"""The comparison that was put off: a pass completes the record, a difference revokes it."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.adapters.rq_queue import RedisClient
from runner.flows.audit import audit
from runner.model.artifact import Artifact
from runner.model.checkout import TreeCheck
from runner.model.job import Status
from runner.model.verification import CheckState, Verdict
from tests.support.folders import remove_sealed
from tests.support.git_repos import commit, git
from tests.support.workshop import TREE, Workshop


@pytest.fixture
def big(backend_name: str, redis_client: RedisClient) -> Iterator[Workshop]:
    """An installation for which every tree is too big to be compared at once."""
    folder = Path(tempfile.mkdtemp(prefix="aiops-", dir="/tmp"))
    folder.chmod(0o711)
    shop = Workshop(folder, redis_client, backend=backend_name, AIOPS_SNAPSHOT_LIMIT="0")
    yield shop
    shop.close()
    remove_sealed(folder)


def entry(shop: Workshop) -> Path:
    """The shared checkout of the workshop's commit, as it lies in the cache."""
    (found,) = shop.runner.paths.checkouts.glob(f"*/{shop.sha}")
    return found


def tamper(shop: Workshop) -> None:
    """Changes the tree on the host, with size and time as they were."""
    path = entry(shop) / "tree" / "README.md"
    was = path.stat()
    path.chmod(0o644)
    path.write_text(TREE["README.md"].upper())
    path.chmod(was.st_mode & 0o777)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def without_audit(shop: Workshop, artifact: Artifact) -> Path:
    """The job's folder as it is between the end of the job and the audit."""
    folder = shop.runner.folders.open(artifact.job_id).path
    (folder / "audit.json").unlink()
    return folder


def audit_now(shop: Workshop) -> TreeCheck:
    """What an auditor does."""
    runner = shop.runner
    mirror = runner.mirrors.open(str(shop.repo), local=True)

    def build(into: Path) -> None:
        raise AssertionError(f"{into}: the checkout is there already")

    with runner.checkouts.use(mirror.key, mirror.objects, shop.sha, build) as checkout:  # type: ignore[arg-type]
        return audit(checkout, runner.checkouts, runner.folders, runner.signer)


def test_a_big_tree_is_audited_after_the_record_was_sealed(big: Workshop) -> None:
    artifact = big.run("echo hello")
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert artifact.invariants.clean_tree_ok is True
    assert artifact.invariants_how.clean_tree_ok.method == "audit-pending"
    big.check(artifact)
    assert {check.name: check.state for check in big.verify(artifact.job_id).checks}[
        "audit"
    ] is CheckState.OK


def test_before_the_audit_a_record_is_not_final(big: Workshop) -> None:
    artifact = big.run("echo hello")
    without_audit(big, artifact)
    found = big.verify(artifact.job_id)
    assert found.overall is Verdict.INTEGRITY_ONLY
    assert [check.name for check in found.checks if check.state is CheckState.UNKNOWN] == ["audit"]
    assert audit_now(big).intact
    big.check(artifact)


def test_a_tree_changed_on_the_host_revokes_every_record_that_waits(big: Workshop) -> None:
    audited, one, two = (big.run("echo hello") for _ in range(3))
    folders = [without_audit(big, artifact) for artifact in (one, two)]
    records = [(folder / "artifact.json").read_bytes() for folder in folders]
    tamper(big)
    assert not audit_now(big).intact

    big.check(audited)
    for artifact, folder, record in zip((one, two), folders, records, strict=True):
        assert (folder / "artifact.json").read_bytes() == record
        assert json.loads((folder / "revocation.json").read_text())["payloadType"]
        found = big.verify(artifact.job_id)
        assert found.overall is Verdict.INVALID
        (failed,) = [check for check in found.checks if check.state is CheckState.FAILED]
        assert failed.name == "revocation"
        assert "MUTATION_DETECTED" in failed.what
        assert not (folder / "audit.json").exists()


def test_a_job_on_a_tree_that_was_changed_is_revoked_and_the_tree_goes(big: Workshop) -> None:
    big.run("echo the checkout is there now")
    tamper(big)
    artifact = big.run("cat README.md")
    assert big.log(artifact) == TREE["README.md"].upper()
    assert big.verify(artifact.job_id).overall is Verdict.INVALID
    assert any(big.runner.paths.quarantine.iterdir())

    after = big.run("cat README.md")
    assert big.log(after) == TREE["README.md"]
    big.check(after)


def test_an_audit_says_nothing_of_another_commit(big: Workshop) -> None:
    big.run("echo hello")
    first = big.sha
    other = commit(big.repo, {"README.md": "another\n"})
    artifact = big.run("echo hello", sha=other)
    folder = without_audit(big, artifact)
    assert big.sha == first == git(big.repo, "rev-parse", "HEAD~1")
    assert audit_now(big).intact
    assert not (folder / "audit.json").exists()


def test_a_revocation_outlives_a_later_pass(big: Workshop) -> None:
    """Nobody can buy a record back by mending the tree afterwards."""
    artifact = big.run("echo hello")
    without_audit(big, artifact)
    tamper(big)
    audit_now(big)
    shutil.rmtree(big.runner.paths.quarantine, ignore_errors=True)
    big.run("echo hello")
    assert big.verify(artifact.job_id).overall is Verdict.INVALID


def test_a_small_tree_is_compared_at_once(backend_name: str, redis_client: RedisClient) -> None:
    folder = Path(tempfile.mkdtemp(prefix="aiops-", dir="/tmp"))
    folder.chmod(0o711)
    shop = Workshop(folder, redis_client, backend=backend_name)
    try:
        artifact = shop.run("echo hello")
        assert artifact.invariants_how.clean_tree_ok.method == "snapshot"
        assert not (shop.runner.folders.open(artifact.job_id).path / "audit.json").exists()
    finally:
        shop.close()
        remove_sealed(folder)


def test_a_checkout_that_was_built_anew_passes_no_record_of_the_one_before(big: Workshop) -> None:
    """Its tree can't be looked at any more: the record stays as undecided as it is."""
    artifact = big.run("echo hello")
    without_audit(big, artifact)
    tamper(big)
    runner = big.runner
    key = runner.mirrors.open(str(big.repo), local=True).key
    assert runner.checkouts.evict(key, big.sha)
    big.check(big.run("echo hello"))
    found = big.verify(artifact.job_id)
    assert found.overall is Verdict.INTEGRITY_ONLY
    assert not (runner.folders.open(artifact.job_id).path / "audit.json").exists()
