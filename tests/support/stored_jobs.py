"""Jobs to store, and a time at which tests take place."""

import os
from datetime import UTC, datetime, timedelta

from runner.adapters.job_store import JobStore
from runner.model.ids import make_job_id
from runner.model.job import Job, Status

NOW = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
ONE_HASH = "1" * 64
OTHER_HASH = "2" * 64


def new_job(
    *,
    age_s: int = 0,
    status: Status = Status.QUEUED,
    job_type: str = "local_echo",
    repo_name: str = "demo",
) -> Job:
    """A job that was asked for ``age_s`` before now."""
    created_at = NOW - timedelta(seconds=age_s)
    return Job(
        job_id=make_job_id(created_at, os.urandom(5)),
        job_type=job_type,
        repo_name=repo_name,
        sha="a" * 40,
        status=status,
        created_at=created_at,
    )


def stored(store: JobStore, job: Job | None = None) -> Job:
    """A job that the store has taken on."""
    job = job or new_job()
    assert store.submit(job, idempotency_key=None, input_hash=ONE_HASH).created
    return job


def claimed(store: JobStore) -> tuple[str, int]:
    """A running job's id and the fencing number of its claim."""
    job_id = stored(store).job_id
    fence = store.claim(job_id, worker="w", now=NOW, lease_s=30)
    assert fence is not None
    return job_id, fence
