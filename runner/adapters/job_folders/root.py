"""All jobs' folders: where a job is accepted, and found again by its id."""

import os
import shutil
from pathlib import Path

from runner.adapters.files import sync_all, sync_folder, write_new
from runner.adapters.job_folders.folder import JobFolder, unavailable
from runner.adapters.job_folders.layout import PLAN, text_of
from runner.errors import BugError, NotFoundError
from runner.model.ids import is_job_id
from runner.model.job import JobPlan
from runner.model.shown import shown


class JobFolders:
    """All jobs' folders below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def accept(self, plan: JobPlan) -> JobFolder:
        """Makes the job's folder with its plan in it; durable, and whole or not there at all.

        Raises:
            BugError: ``JOB_EXISTS``: there is a folder of that id.
            UnavailableError: ``DISK_FULL``, ``STATE_UNWRITABLE``.
        """
        path = self.root / plan.job_id
        aside = self.root / f".accepting-{plan.job_id}"
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.path.lexists(path):
                raise BugError("JOB_EXISTS", f"there is a folder of job {plan.job_id} already")
            aside.mkdir(mode=0o700)
            write_new(aside / PLAN, text_of(plan), mode=0o600)
            sync_all((aside / PLAN, aside))
            aside.rename(path)
            sync_folder(self.root)
        except OSError as error:
            shutil.rmtree(aside, ignore_errors=True)
            raise unavailable(error, path) from error
        return JobFolder(path)

    def open(self, job_id: str) -> JobFolder:
        """The folder of an accepted job.

        Raises:
            NotFoundError: ``JOB_UNKNOWN``: there is none, or that isn't the form of an id.
        """
        path = self.root / job_id if is_job_id(job_id) else None
        if path is None or path.is_symlink() or not path.is_dir():
            raise NotFoundError("JOB_UNKNOWN", f"no job {shown(job_id[:80])!r}")
        return JobFolder(path)

    def ids(self) -> tuple[str, ...]:
        """The ids of all accepted jobs, newest first."""
        try:
            with os.scandir(self.root) as entries:
                found = [
                    entry.name
                    for entry in entries
                    if is_job_id(entry.name) and entry.is_dir(follow_symlinks=False)
                ]
        except FileNotFoundError:
            return ()
        return tuple(sorted(found, reverse=True))
