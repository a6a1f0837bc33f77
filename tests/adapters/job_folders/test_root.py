"""All job folders: accepted durably, found by their ids alone."""

import os
from pathlib import Path

import pytest

from runner.adapters.job_folders import JobFolder, JobFolders
from runner.errors import BugError, NotFoundError
from tests.support import records


def test_an_accepted_job_is_found_with_its_plan(root: Path, folder: JobFolder) -> None:
    assert JobFolders(root).open(records.JOB_ID).plan() == records.plan()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.artifact() is None


def test_a_job_is_accepted_once(root: Path, folder: JobFolder) -> None:
    with pytest.raises(BugError, match="JOB_EXISTS"):
        JobFolders(root).accept(records.plan())
    assert os.listdir(root) == [records.JOB_ID]


@pytest.mark.parametrize(
    "job_id",
    ["", ".", "..", "../x", "/etc", f"{records.JOB_ID}\n", f"{records.JOB_ID}/", "x" * 10**6, "\0"],
)
def test_what_has_not_the_form_of_an_id_is_no_job(
    root: Path, folder: JobFolder, job_id: str
) -> None:
    with pytest.raises(NotFoundError, match="JOB_UNKNOWN"):
        JobFolders(root).open(job_id)


def test_a_link_in_the_place_of_a_folder_is_no_job(root: Path, folder: JobFolder) -> None:
    other = "20260102-030406-00112233aa"
    (root / other).symlink_to(folder.path)
    with pytest.raises(NotFoundError):
        JobFolders(root).open(other)
    assert JobFolders(root).ids() == (records.JOB_ID,)


def test_ids_come_newest_first_and_without_strangers(root: Path) -> None:
    assert JobFolders(root).ids() == ()
    for day in ("05", "01", "03"):
        records.accept(root, f"202601{day}-030405-00112233aa")
    (root / ".accepting-20260109-030405-00112233aa").mkdir()
    (root / "lost+found").mkdir()
    assert [job_id[6:8] for job_id in JobFolders(root).ids()] == ["05", "03", "01"]
