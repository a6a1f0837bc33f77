"""A request becomes an accepted job, or is refused and leaves nothing behind."""

from dataclasses import dataclass
from datetime import datetime

from runner.adapters.job_folders import JobFolders
from runner.adapters.job_store import JobStore
from runner.adapters.rq_queue import RqQueue
from runner.errors import RunnerError
from runner.model.catalog import Catalog
from runner.model.ids import make_job_id
from runner.model.job import Job, JobPlan, JobRequest, Status
from runner.policy.admission import admit


@dataclass(frozen=True)
class Accepted:
    """An accepted request.

    Attributes:
        job_id: The job's id: an earlier one's where the idempotency key was known.
        created: Whether a new job came of it.
    """

    job_id: str
    created: bool


def plan_for(
    request: JobRequest,
    catalog: Catalog,
    *,
    now: datetime,
    randomness: bytes,
    local_path: str | None = None,
) -> JobPlan:
    """The plan of a new job, without anything being stored.

    Raises:
        RefusedError: it isn't allowed.
    """
    return admit(
        request,
        catalog,
        job_id=make_job_id(now, randomness),
        now=now,
        trace_id=randomness.hex(),
        local_path=local_path,
    )


def submit(plan: JobPlan, *, folders: JobFolders, store: JobStore, queue: RqQueue) -> Accepted:
    """Takes the job of an admitted ``plan`` on.

    The order makes it safe to be killed anywhere: what was told to the caller is durable before,
    and what the queue rings for can be found.

    Raises:
        RefusedError: ``IDEMPOTENCY_CONFLICT``: the key was used for another request.
        UnavailableError: Redis or the disk; nothing was stored.
    """
    # 2 durable before anyone is told
    folder = folders.accept(plan)
    job = Job(
        job_id=plan.job_id,
        job_type=plan.job_type,
        repo_name=plan.repo_name,
        sha=plan.sha,
        status=Status.QUEUED,
        created_at=plan.created_at,
    )
    # 3 the job and its idempotency key, in one step
    try:
        submitted = store.submit(
            job, idempotency_key=plan.idempotency_key, input_hash=plan.input_hash
        )
    except RunnerError:
        folder.discard()
        raise
    if not submitted.created:
        folder.discard()
        return Accepted(submitted.job_id, created=False)
    # 4 ring: only the id crosses
    queue.ring(plan.job_id)
    return Accepted(plan.job_id, created=True)
