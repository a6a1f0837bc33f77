"""What became of jobs, as their folders tell it: the truth even when Redis is empty or away."""

from runner.adapters.job_folders import JobFolder, JobFolders
from runner.errors import RunnerError
from runner.model.job import Job, Status


def standing(folder: JobFolder) -> Job:
    """Where the job of ``folder`` stands.

    Without a record it is ``running`` from when somebody has begun to execute it.

    Raises:
        RunnerError: the plan or the record can't be read.
    """
    plan = folder.plan()
    artifact = folder.artifact()
    common = {
        "job_id": plan.job_id,
        "job_type": plan.job_type,
        "repo_name": plan.repo_name,
        "sha": plan.sha,
        "created_at": plan.created_at,
    }
    if artifact is None:
        status = Status.RUNNING if folder.was_begun() else Status.QUEUED
        return Job.model_validate({**common, "status": status})
    return Job.model_validate(
        {
            **common,
            "status": artifact.status,
            "reason": artifact.reason,
            "started_at": artifact.started_at,
            "finished_at": artifact.finished_at,
            "attempt": artifact.attempt,
        }
    )


def history(
    folders: JobFolders, *, limit: int, status: Status | None = None, job_type: str | None = None
) -> tuple[Job, ...]:
    """The latest ``limit`` jobs that match, the latest first. Unreadable folders are left out."""
    found: list[Job] = []
    for job_id in folders.ids():
        if len(found) == limit:
            break
        try:
            job = standing(folders.open(job_id))
        except RunnerError:
            continue
        if status in (None, job.status) and job_type in (None, job.job_type):
            found.append(job)
    return tuple(found)
