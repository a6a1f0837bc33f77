"""Edge: what RQ delivers goes to the flow that executes a job."""

from collections.abc import Callable

import structlog

from runner.adapters.rq_queue import RedisClient, RingWorker

_log = structlog.get_logger(__name__)


def serve(
    client: RedisClient,
    queue_name: str,
    execute: Callable[[str], None],
    *,
    stop_requested: Callable[[], bool],
    max_jobs: int | None = None,
    burst: bool = False,
) -> int:
    """Executes the jobs that the queue rings for, in this thread; how many rings were heard.

    A job that can't be executed ends that job, not the worker: what went wrong is logged.

    Args:
        client: Of the queue's Redis.
        queue_name: The queue to listen to.
        execute: Called with a job's id; the job may be gone, or somebody else's, by then.
        stop_requested: Asked between jobs, and every second while there is none.
        max_jobs: Stops after so many rings.
        burst: Stops when nothing rings.

    Raises:
        UnavailableError: ``REDIS_UNAVAILABLE``, in burst mode; else the worker waits for Redis.
    """

    def guarded(job_id: str) -> None:
        try:
            execute(job_id)
        except Exception:
            _log.exception("worker.job_not_executed", job_id=job_id)

    worker = RingWorker(client, queue_name, guarded)
    return worker.run(stop_requested=stop_requested, max_jobs=max_jobs, burst=burst)
