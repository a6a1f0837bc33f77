"""A job as the fields of a Redis hash, and back."""

from datetime import datetime

from runner.errors import IntegrityError
from runner.model.ids import is_job_id
from runner.model.job import Job, Status

Fields = dict[bytes, bytes]


def fields_of(job: Job) -> dict[str, str | int]:
    """What is stored of a new job."""
    fields = job.model_dump(mode="json", exclude={"job_id"}, exclude_none=True)
    fields["cancel_requested"] = int(job.cancel_requested)
    return fields


def job_of(job_id: str, raw_fields: Fields) -> Job:
    """The job that is stored in those fields.

    Raises:
        IntegrityError: ``JOB_STATE_CORRUPT``: it isn't one.
    """
    fields = {name.decode(): value.decode() for name, value in raw_fields.items()}
    try:
        if not is_job_id(job_id):
            raise ValueError(f"got {job_id!r}, expected a job id")
        return Job(
            job_id=job_id,
            job_type=fields["job_type"],
            repo_name=fields["repo_name"],
            sha=fields["sha"],
            status=Status(fields["status"]),
            reason=fields.get("reason"),
            created_at=datetime.fromisoformat(fields["created_at"]),
            started_at=_time(fields.get("started_at")),
            finished_at=_time(fields.get("finished_at")),
            attempt=int(fields.get("attempt", 0)),
            fence=int(fields.get("fence", 0)),
            cancel_requested=fields.get("cancel_requested") == "1",
        )
    except (KeyError, ValueError) as error:
        raise IntegrityError(
            "JOB_STATE_CORRUPT", f"what Redis holds of job {job_id!r} isn't a job: {error}"
        ) from error


def stamp(time: datetime) -> str:
    """A time as it is stored: to the millisecond."""
    return time.isoformat(timespec="milliseconds")


def until(now: datetime, lease_s: float) -> int:
    """When a lease that lasts so long from now ends, in milliseconds since 1970."""
    return int((now.timestamp() + lease_s) * 1000)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
