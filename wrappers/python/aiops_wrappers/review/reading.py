"""The range that a job reviews, read from the objects of its checkout."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aiops_wrappers.contract import Job
from runner.adapters.git.config import write_git_config
from runner.adapters.git.process import GitProcess
from runner.adapters.git.ranges import RangeReader
from runner.errors import UnavailableError
from runner.flows.review_base import ReviewBase, range_of_job


@dataclass(frozen=True)
class Reading:
    """A range, and what it can be read with.

    Attributes:
        objects: The object store behind the checkout.
        base: The range, and where its base is from.
        reader: Of a repository of our own.
        scratch: A private folder with room.
    """

    objects: Path
    base: ReviewBase
    reader: RangeReader
    scratch: Path

    @property
    def since(self) -> str:
        """The commit that the range begins behind."""
        assert self.base.span.base is not None  # a job's range always has one
        return self.base.span.base


def read_range(job: Job) -> Reading:
    """What ``job`` reviews.

    Raises:
        RunnerError: as ``range_of_job``.
        OSError: no room.
    """
    objects = _objects_of(job)
    scratch, reader = _reader(job, objects)
    base = range_of_job(reader, job.sha, job.param("since_sha") or None)
    return Reading(objects, base, reader, scratch)


def read_again(job: Job, reading: Reading) -> Reading:
    """The same range with a new repository: code of the target may have been at the old one."""
    scratch, reader = _reader(job, reading.objects)
    return Reading(reading.objects, reading.base, reader, scratch)


def new_folder(job: Job) -> Path:
    """An empty private folder that vanishes with the job."""
    return Path(tempfile.mkdtemp(dir=job.tmp, prefix="review-"))


def _reader(job: Job, objects: Path) -> tuple[Path, RangeReader]:
    scratch = new_folder(job)
    config = scratch / "gitconfig"
    write_git_config(config)
    return scratch, RangeReader(GitProcess(config), objects, scratch / "repository", job.sha)


def _objects_of(job: Job) -> Path:
    """As git sees it: beside the checkout in a job, anywhere by hand (worktrees, alternates)."""
    command = ["git", "rev-parse", "--path-format=absolute", "--git-path", "objects"]
    try:
        done = subprocess.run(
            command, cwd=job.checkout, env=job.environment, capture_output=True, check=False
        )
    except OSError as error:
        raise UnavailableError("GIT_NOT_FOUND", f"git can't be started: {error}") from error
    if done.returncode:
        why = done.stderr.decode("utf-8", "backslashreplace").strip()
        raise UnavailableError("GIT_FAILED", f"git rev-parse: {why}")
    return Path(os.fsdecode(done.stdout.removesuffix(b"\n")))
