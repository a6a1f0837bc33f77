import pytest
import redis
from structlog.testing import capture_logs

from runner.adapters.rq_queue import RqQueue
from runner.worker import serve

pytest_plugins = ("tests.support.redis_fixtures",)

JOBS = ("20260304-050607-00000000aa", "20260304-050607-00000000bb")


def never() -> bool:
    return False


def test_a_job_that_cannot_be_executed_does_not_end_the_worker(empty_redis: "redis.Redis") -> None:
    heard: list[str] = []

    def execute(job_id: str) -> None:
        heard.append(job_id)
        raise RuntimeError("a bug")

    for job_id in JOBS:
        RqQueue(empty_redis, "jobs").ring(job_id)
    with capture_logs() as logged:
        assert serve(empty_redis, "jobs", execute, stop_requested=never, burst=True) == 2

    assert heard == list(JOBS)
    assert [(line["event"], line["job_id"]) for line in logged] == [
        ("worker.job_not_executed", job_id) for job_id in JOBS
    ]
    assert set(empty_redis.scan_iter()) == {b"rq:queues"}


@pytest.mark.parametrize("leaves", [KeyboardInterrupt, SystemExit])
def test_who_interrupts_the_worker_is_not_held_up(
    empty_redis: "redis.Redis", leaves: type[BaseException]
) -> None:
    def execute(_: str) -> None:
        raise leaves

    RqQueue(empty_redis, "jobs").ring(JOBS[0])

    with pytest.raises(leaves):
        serve(empty_redis, "jobs", execute, stop_requested=never, burst=True)


def test_it_stops_between_jobs_when_asked(empty_redis: "redis.Redis") -> None:
    heard: list[str] = []
    for job_id in JOBS:
        RqQueue(empty_redis, "jobs").ring(job_id)

    serve(empty_redis, "jobs", heard.append, stop_requested=lambda: bool(heard), burst=True)

    assert heard == [JOBS[0]]
