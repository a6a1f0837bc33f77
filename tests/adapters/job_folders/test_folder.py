"""One job's folder: held by one, with space kept for its end."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from runner.adapters.job_folders import JobFolder, JobFolders
from runner.adapters.job_folders.folder import RESERVE_BYTES
from runner.adapters.signing import Signer
from runner.errors import BugError, BusyError, IntegrityError, UnavailableError
from runner.flows.seal import seal
from tests.support import records
from tests.support.forked import in_child, limit_files_to


def test_a_plan_of_another_job_is_no_plan(root: Path, folder: JobFolder) -> None:
    other = "20260102-030406-00112233aa"
    shutil.copytree(folder.path, root / other)
    with pytest.raises(IntegrityError, match="PLAN_INVALID"):
        JobFolders(root).open(other).plan()


def test_a_job_is_held_by_one(root: Path, folder: JobFolder) -> None:
    other = JobFolders(root).open(records.JOB_ID)
    with folder.hold(), pytest.raises(BusyError, match="JOB_HELD"), other.hold():
        pass
    with other.hold():
        pass


def test_who_dies_holds_nothing(root: Path, folder: JobFolder) -> None:
    def die() -> None:
        with folder.hold():
            os.kill(os.getpid(), signal.SIGKILL)

    in_child(die, killed=True)
    with folder.hold():
        pass


def test_the_reserve_is_real_space_and_given_back(folder: JobFolder) -> None:
    folder.reserve()
    assert (folder.path / "reserve").stat().st_blocks * 512 >= RESERVE_BYTES
    folder.release_reserve()
    folder.release_reserve()
    assert (folder.path / "reserve").stat().st_blocks == 0


def test_a_job_counts_as_begun_until_its_record_is_there(folder: JobFolder, signer: Signer) -> None:
    assert not folder.was_begun()
    folder.reserve()
    folder.release_reserve()
    assert folder.was_begun()
    assert seal(folder, records.artifact(folder), signer)
    assert not folder.was_begun()


def test_a_folder_without_a_record_is_not_tidied(folder: JobFolder) -> None:
    folder.reserve()
    with pytest.raises(BugError, match="JOB_NOT_SEALED"):
        folder.tidy()
    assert folder.was_begun()


def test_a_reserve_that_is_not_there_is_a_full_disk(folder: JobFolder) -> None:
    def on_a_small_disk() -> None:
        limit_files_to(1000)
        with pytest.raises(UnavailableError, match="DISK_FULL"):
            folder.reserve()
        assert (folder.path / "reserve").stat().st_blocks == 0

    in_child(on_a_small_disk)
