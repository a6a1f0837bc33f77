"""``FORCE_SIZE_CAP=1``: the packets of ``orb_review_bundle`` by hand, and never in a job."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.policy.packets import meta
from tests.support.orb_repo import build_orb_repo, git
from tests.support.wrapper_run import WRAPPERS, open_folder, run_wrapper

DOOR = WRAPPERS / "orb_review_bundle.sh"


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def by_hand(repo: Path, artifacts: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The door as somebody at a terminal starts it, from ``repo``."""
    return subprocess.run(
        ["bash", str(DOOR)],
        cwd=repo,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": "/nonexistent",
            "FORCE_SIZE_CAP": "1",
            "ARTIFACT_DIR": str(artifacts),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_it_needs_a_folder_a_base_and_nothing_else(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", review_bundle="fits", change="one line\n")
    since = git(repo, "rev-parse", "HEAD~1")
    done = by_hand(repo, scratch / "out", SINCE_SHA=since)
    assert done.returncode == 0, done.stdout + done.stderr
    claim = meta.from_json((scratch / "out" / meta.NAME).read_bytes())
    assert (claim.since_sha, claim.packet_count) == (since, 1)
    assert claim.archive_name == "ORB_REVIEW_PACKETS.tar.gz"
    assert (scratch / "out" / claim.archive_name).exists()
    packet = (scratch / "out" / claim.packets_dir / "packet_001.txt").read_text()
    assert "+one line\n" in packet


def test_it_gives_the_same_packets_each_time(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", change="one line\n")
    digests = set()
    for out in (scratch / "first", scratch / "second"):
        assert by_hand(repo, out).returncode == 0
        digests.add(meta.from_json((out / meta.NAME).read_bytes()).manifest_sha256)
    assert len(digests) == 1


def test_it_runs_nothing_of_the_repository_since_nothing_confines_there(scratch: Path) -> None:
    repo = build_orb_repo(
        scratch / "orb", review_bundle="fits", review_codex="fails after writing", change="x\n"
    )
    done = by_hand(repo, scratch / "out")
    assert done.returncode == 0
    assert "since " not in done.stdout.partition("the base is from")[2]
    assert not (scratch / "out" / "target_packets").exists()


def test_it_works_from_a_folder_below_and_from_a_linked_worktree(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", change="x\n")
    assert by_hand(repo / "ops", scratch / "below").returncode == 0
    git(repo, "worktree", "add", "--quiet", str(scratch / "linked"), "HEAD")
    done = by_hand(scratch / "linked", scratch / "out", GIT_DIR="/nowhere")
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_removes_nothing_that_is_there_already(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", change="x\n")
    mine = scratch / "out" / "review_packets"
    mine.mkdir(parents=True)
    (mine / "precious").write_text("mine")
    done = by_hand(repo, scratch / "out")
    assert (done.returncode, "OUTPUT_EXISTS" in done.stdout) == (2, True)
    assert (mine / "precious").read_text() == "mine"


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"SINCE_SHA": "f" * 40}, "RANGE_UNKNOWN"),
        ({"ARTIFACT_DIR": ""}, "ARTIFACT_DIR"),
        ({"FORCE_SIZE_CAP": "yes"}, "FORCE_SIZE_CAP"),
    ],
)
def test_what_is_wrong_is_said_with_exit_code_2(
    scratch: Path, environment: dict[str, str], word: str
) -> None:
    repo = build_orb_repo(scratch / "orb", change="x\n")
    done = by_hand(repo, scratch / "out", **environment)
    assert (done.returncode, word in done.stdout + done.stderr) == (2, True)


def test_outside_a_repository_it_says_so(scratch: Path) -> None:
    done = by_hand(scratch, scratch / "out", GIT_CEILING_DIRECTORIES="/")
    assert (done.returncode, "expected a git repository" in done.stderr) == (2, True)


def test_in_a_job_it_is_refused(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", review_bundle="fits", change="x\n")
    run = run_wrapper("orb_review_bundle", repo, scratch, environment={"FORCE_SIZE_CAP": "1"})
    assert (run.exit_code, "refused inside a job" in run.stderr) == (2, True)
    assert {path.name for path in run.artifacts.iterdir()} == {"params.json"}


def test_a_job_id_alone_is_enough_to_refuse_it(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    assert by_hand(repo, scratch / "out", AIOPS_JOB_ID="x").returncode == 2


def test_a_switch_that_is_off_changes_nothing_in_a_job(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", review_bundle="fits", change="x\n")
    run = run_wrapper("orb_review_bundle", repo, scratch, environment={"FORCE_SIZE_CAP": "0"})
    assert run.exit_code == 0
    assert not (run.artifacts / meta.NAME).exists()
