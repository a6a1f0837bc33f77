"""Jobs that were lost with their worker, and those that weren't."""

import os
import signal
from pathlib import Path

import pytest

from runner.adapters.job_folders import JobFolder, JobFolders
from runner.adapters.private_runs import PrivateRuns
from runner.adapters.signing import Signer, load_or_create
from runner.flows.recover import recover
from runner.flows.verify import verify
from runner.model.job import Reason, Status
from runner.model.verification import Verdict
from tests.support import records
from tests.support.forked import in_child


class Place:
    """Job folders, promises and a key of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.folders = JobFolders(folder / "artifacts")
        (folder / "locks").mkdir()
        self.runs = PrivateRuns(folder / "locks")
        self.signer: Signer = load_or_create(folder / "keys")

    def recover(self) -> tuple[str, ...]:
        """What a runner does when it starts."""
        return recover(
            self.folders,
            self.runs,
            self.signer,
            now=records.NOW,
            hostname="host",
            runner_version="1",
        )

    def lost(self, folder: JobFolder) -> None:
        """Fails unless the job has a valid record that says its worker was lost."""
        artifact = folder.sealed()
        assert (artifact.status, artifact.reason) == (Status.ERROR, Reason.WORKER_LOST)
        assert verify(folder.path, records.trust(self.signer)).overall is Verdict.VALID


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_job_that_was_begun_and_that_nobody_executes_is_sealed(place: Place) -> None:
    folder = records.accept(place.folders.root)
    folder.reserve()
    assert place.recover() == (folder.job_id,)
    place.lost(folder)
    assert folder.sealed().logs.stdout.bytes == len("hello\n")
    assert folder.sealed().outputs == ()
    assert not folder.outputs.exists()
    assert place.recover() == ()


def test_a_job_that_somebody_executes_is_left_to_them(place: Place) -> None:
    folder = records.accept(place.folders.root)
    folder.reserve()
    with place.folders.open(folder.job_id).hold():
        assert place.recover() == ()
    assert folder.artifact() is None


def test_a_queued_job_waits_for_a_worker(place: Place) -> None:
    folder = records.accept(place.folders.root)
    assert place.recover() == ()
    assert folder.artifact() is None


def test_a_queued_job_whose_only_worker_died_is_sealed(place: Place) -> None:
    folder = records.accept(place.folders.root)

    def die() -> None:
        with place.runs.promise(folder.job_id):
            os.kill(os.getpid(), signal.SIGKILL)

    in_child(die, killed=True)
    assert place.recover() == (folder.job_id,)
    place.lost(folder)
    assert place.runs.job_ids() == ()


def test_a_queued_job_whose_only_worker_lives_is_left_to_them(place: Place) -> None:
    folder = records.accept(place.folders.root)
    with place.runs.promise(folder.job_id):
        assert place.recover() == ()
        assert place.runs.job_ids() == (folder.job_id,)
    assert folder.artifact() is None


def test_a_promise_that_was_given_up_on_is_a_broken_one(place: Place) -> None:
    folder = records.accept(place.folders.root)
    with pytest.raises(KeyboardInterrupt), place.runs.promise(folder.job_id):
        raise KeyboardInterrupt
    assert place.recover() == (folder.job_id,)


def test_a_promise_for_a_job_that_was_never_accepted_is_forgotten(place: Place) -> None:
    with pytest.raises(KeyboardInterrupt), place.runs.promise(records.JOB_ID):
        raise KeyboardInterrupt
    assert place.recover() == ()
    assert place.runs.job_ids() == ()


def test_a_record_that_is_there_already_stands(place: Place) -> None:
    folder = records.sealed(place.folders.root, place.signer)
    folder.reserve()
    before = (folder.path / "artifact.json").read_bytes()
    assert place.recover() == ()
    assert (folder.path / "artifact.json").read_bytes() == before
    assert not folder.was_begun()


def test_one_folder_that_cannot_be_read_does_not_keep_the_others(place: Place) -> None:
    other = "20260102-030406-00112233aa"
    broken = records.accept(place.folders.root, other)
    broken.reserve()
    (broken.path / "plan.json").write_text("{")
    folder = records.accept(place.folders.root)
    folder.reserve()
    assert place.recover() == (folder.job_id,)
    assert broken.artifact() is None
