"""Where jobs stand, told by their folders alone."""

from pathlib import Path

import pytest

from runner.adapters.job_folders import JobFolders
from runner.adapters.signing import load_or_create
from runner.errors import IntegrityError
from runner.flows.history import history, standing
from runner.flows.seal import seal
from runner.model.job import Reason, Status
from tests.support import records

IDS = [f"2026010{day}-030405-00112233aa" for day in range(1, 6)]


@pytest.fixture
def folders(tmp_path: Path) -> JobFolders:
    """Five jobs: queued, running, failed, succeeded, and one that can't be read; oldest first."""
    root = tmp_path / "artifacts"
    signer = load_or_create(tmp_path / "keys")
    made = [records.accept(root, job_id) for job_id in IDS]
    made[1].reserve()
    failed = {"status": Status.FAILURE, "reason": Reason.EXIT_CODE, "exit_code": 1}
    assert seal(made[2], records.artifact(made[2], None, **failed), signer)
    assert seal(made[3], records.artifact(made[3]), signer)
    (made[4].path / "plan.json").write_text("not a plan")
    return JobFolders(root)


def test_the_latest_comes_first_and_what_cannot_be_read_is_left_out(folders: JobFolders) -> None:
    assert [(job.job_id, job.status) for job in history(folders, limit=10)] == [
        (IDS[3], Status.SUCCESS),
        (IDS[2], Status.FAILURE),
        (IDS[1], Status.RUNNING),
        (IDS[0], Status.QUEUED),
    ]


def test_the_limit_counts_what_matches(folders: JobFolders) -> None:
    (job,) = history(folders, limit=1, status=Status.QUEUED)
    assert job.job_id == IDS[0]
    assert history(folders, limit=0) == ()
    assert history(folders, limit=5, job_type="another") == ()
    assert len(history(folders, limit=2, job_type="local_echo")) == 2


def test_an_ended_job_has_its_times_and_its_reason(folders: JobFolders) -> None:
    job = standing(folders.open(IDS[2]))
    assert (job.reason, job.started_at, job.finished_at, job.attempt) == (
        Reason.EXIT_CODE,
        records.NOW,
        records.NOW,
        1,
    )


def test_a_folder_that_cannot_be_read_is_an_error_for_who_asks_for_it(folders: JobFolders) -> None:
    with pytest.raises(IntegrityError, match="PLAN_INVALID"):
        standing(folders.open(IDS[4]))


def test_no_jobs_is_no_error(tmp_path: Path) -> None:
    assert history(JobFolders(tmp_path / "nowhere"), limit=5) == ()
