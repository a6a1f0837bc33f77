"""A job whose bundle became packets succeeds only if the executor itself proved that they are all.

The jobs here leave files that were prepared outside: what a wrapper that lies could write.
"""

import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.adapters.git.mirrors import Mirror, Mirrors
from runner.adapters.git.process import SEARCH_PATH, GitProcess
from runner.adapters.signing import trusted_keys
from runner.flows.verify import verify
from runner.model.artifact import Artifact
from runner.model.job import Reason, Status
from runner.model.verification import CheckState
from runner.policy import exit_codes
from runner.policy.packets import meta as metas
from tests.support import claims
from tests.support.claims import ARCHIVE, PACKETS, PreparedJob
from tests.support.git_repos import git
from tests.support.workshop import Workshop


@pytest.fixture
def prepared(workshop: Workshop) -> Iterator[PreparedJob]:
    folder = workshop.folder / "prepared"
    folder.mkdir()
    yield PreparedJob(workshop, folder)
    shutil.rmtree(folder)


def not_believed(artifact: Artifact) -> str:
    """Why a claim wasn't believed; fails if any of it was."""
    assert (artifact.status, artifact.reason) == (Status.FAILURE, Reason.SIZE_CAP_CLAIM_INVALID)
    assert exit_codes.of_record(artifact) == exit_codes.VIOLATED
    nothing_of_it(artifact)
    assert artifact.detail
    assert artifact.detail.isprintable()
    return artifact.detail


def nothing_of_it(artifact: Artifact) -> None:
    """Fails if the record says anything about packets."""
    assert not artifact.size_cap_exceeded
    assert artifact.review_packets_archive is None
    assert artifact.review_packets_dir is None
    assert artifact.size_cap_fallback is None
    assert "SIZE_CAP_EXCEEDED" not in artifact.warnings


def test_an_honest_claim_is_a_success_with_all_five_keys(prepared: PreparedJob) -> None:
    artifact = prepared.run()
    assert (artifact.status, artifact.reason, artifact.exit_code) == (Status.SUCCESS, None, 0)
    assert exit_codes.of_record(artifact) == exit_codes.SUCCESS
    assert artifact.size_cap_exceeded
    assert artifact.warnings == ("SIZE_CAP_EXCEEDED",)
    assert artifact.review_packets_archive == f"outputs/{ARCHIVE}"
    assert artifact.review_packets_dir == f"outputs/{PACKETS}"
    assert artifact.size_cap_fallback is not None
    assert artifact.size_cap_fallback.model_dump() == {
        **prepared.meta.document(),
        "warnings": ("SIZE_CAP_EXCEEDED",),
    }
    folder = prepared.workshop.runner.folders.open(artifact.job_id).path
    assert (folder / artifact.review_packets_archive).is_file()
    assert (folder / artifact.review_packets_dir / "manifest.json").is_file()


def test_incomplete_packets_of_the_targets_own_are_a_warning_more(prepared: PreparedJob) -> None:
    claims.write_meta(prepared.left, prepared.meta, target_incomplete=True)
    artifact = prepared.run()
    assert artifact.status is Status.SUCCESS
    assert artifact.warnings == ("SIZE_CAP_EXCEEDED", "TARGET_PACKETS_INCOMPLETE")


def test_a_job_that_claims_nothing_is_a_plain_success(prepared: PreparedJob) -> None:
    (prepared.left / metas.NAME).unlink()
    artifact = prepared.run()
    assert (artifact.status, artifact.warnings) == (Status.SUCCESS, ())
    nothing_of_it(artifact)


def test_packets_of_the_last_commit_do_not_pass_for_the_whole_range(prepared: PreparedJob) -> None:
    folder = prepared.left.parent
    between = git(prepared.repo, "rev-parse", "HEAD~1")
    prepared.left = folder / "less"
    meta = claims.claim_packets(
        prepared.repo, between, prepared.head, prepared.left, folder / "scratch"
    )
    assert prepared.run(since_sha=between).status is Status.SUCCESS
    assert "since_sha" in not_believed(prepared.run())
    claims.write_meta(prepared.left, meta, since_sha=prepared.base)
    assert "expected" in not_believed(prepared.run())


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _second_member(path: Path) -> None:
    entries = claims.members(path)
    claims.pack(path, [*entries, entries[0]], tarfile.GNU_FORMAT)


def _large(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(100_000_000)


def _link(left: Path) -> None:
    (left / metas.NAME).rename(left / "meta")
    (left / metas.NAME).symlink_to("meta")


def _folder(left: Path) -> None:
    (left / metas.NAME).unlink()
    (left / metas.NAME).mkdir()
    (left / metas.NAME / "x").write_bytes(b"x")


ATTACKS: dict[str, Callable[[Path], object]] = {
    "a changed byte": lambda left: _flip(left / PACKETS / "packet_001.txt"),
    "a missing packet": lambda left: (left / PACKETS / "packet_002.txt").unlink(),
    "no packets": lambda left: shutil.rmtree(left / metas.PACKETS_FOLDER),
    "another archive": lambda left: _second_member(left / ARCHIVE),
    "a readme of its own": lambda left: (left / metas.README_NAME).write_text("approve this"),
    "a bundle of its own": lambda left: (left / metas.BUNDLE_NAME).write_text("no change"),
    "a meta of 100 MB": lambda left: _large(left / metas.NAME),
    "a deep meta": lambda left: (left / metas.NAME).write_bytes(b"[" * 50_000),
    "a meta with terminal sequences": lambda left: (left / metas.NAME).write_text(
        '{"since_sha": "\x7f\\u001b[2J\\u202e"}'
    ),
    "a meta that is a link": _link,
    "a meta that is a folder": _folder,
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_forged_claim_is_a_failure(
    prepared: PreparedJob, attack: Callable[[Path], object]
) -> None:
    attack(prepared.left)
    not_believed(prepared.run())


def test_an_unknown_base_is_a_failure_of_the_claim(prepared: PreparedJob) -> None:
    unknown = "1" * 40
    claims.write_meta(prepared.left, prepared.meta, since_sha=unknown)
    assert unknown in not_believed(prepared.run(since_sha=unknown))


@pytest.mark.parametrize("forged", [False, True])
def test_beside_an_exit_code_no_claim_counts(prepared: PreparedJob, *, forged: bool) -> None:
    if forged:
        (prepared.left / metas.NAME).write_bytes(b"{}")
    artifact = prepared.run(exit_code=1)
    assert (artifact.status, artifact.reason) == (Status.FAILURE, Reason.EXIT_CODE)
    nothing_of_it(artifact)


BROKEN_GIT = """#!/bin/sh
case " $* " in *" merge-base "*) exit 99 ;; esac
PATH={path} exec git "$@"
"""


@pytest.fixture
def broken_mirrors(prepared: PreparedJob) -> Iterator[Mirrors]:
    """Mirrors whose git fails where a range is read, and nowhere before."""
    folder = prepared.left.parent / "bin"
    folder.mkdir()
    (folder / "git").write_text(BROKEN_GIT.format(path=SEARCH_PATH))
    (folder / "git").chmod(0o755)
    paths = prepared.workshop.runner.paths
    git = GitProcess(paths.root / "gitconfig", search_path=f"{folder}:{SEARCH_PATH}")
    mirrors = Mirrors(paths.mirrors, paths.locks, git)
    yield mirrors
    mirrors.close()


def test_a_check_that_fails_through_us_is_an_error_and_never_a_success(
    prepared: PreparedJob, broken_mirrors: Mirrors
) -> None:
    artifact = prepared.workshop.execute(prepared.submit(), mirrors=broken_mirrors)
    prepared.workshop.check(artifact)
    assert (artifact.status, artifact.reason) == (Status.ERROR, "GIT_FAILED")
    assert exit_codes.of_record(artifact) == exit_codes.INFRASTRUCTURE
    nothing_of_it(artifact)


def packets_check(prepared: PreparedJob, artifact: Artifact, mirror: Mirror | None) -> CheckState:
    """What ``runner verify`` says of the packets."""
    runner = prepared.workshop.runner
    found = verify(
        runner.folders.open(artifact.job_id).path, trusted_keys(runner.paths.trust, ()), mirror
    )
    return next(check.state for check in found.checks if check.name == "packets")


def test_a_verifier_proves_it_again_with_and_without_the_repository(prepared: PreparedJob) -> None:
    artifact = prepared.run()
    mirror = prepared.workshop.runner.mirrors.open(str(prepared.repo), local=True)
    assert packets_check(prepared, artifact, None) is CheckState.OK
    assert packets_check(prepared, artifact, mirror) is CheckState.OK
    folder = prepared.workshop.runner.folders.open(artifact.job_id).path
    _flip(folder / "outputs" / PACKETS / "packet_001.txt")
    assert packets_check(prepared, artifact, None) is CheckState.FAILED
    assert packets_check(prepared, artifact, mirror) is CheckState.FAILED
