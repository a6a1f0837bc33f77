import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from runner.adapters.redis_server import EmbeddedRedis
from runner.adapters.rq_queue import RING, RingWorker, RqQueue
from runner.errors import BugError, UnavailableError
from tests.support.redis_servers import client_of

pytest_plugins = ("tests.support.redis_fixtures",)

JOB = "20260304-050607-00000000aa"
OTHER = "20260304-050607-00000000bb"


def never() -> bool:
    return False


def hear_all(
    client: "redis.Redis", *, name: str = "jobs", max_jobs: int | None = None
) -> list[str]:
    heard: list[str] = []
    RingWorker(client, name, heard.append).run(stop_requested=never, burst=True, max_jobs=max_jobs)
    return heard


def all_keys(client: "redis.Redis") -> set[bytes]:
    return set(client.scan_iter())


def test_who_listens_hears_every_ring_in_order(empty_redis: "redis.Redis") -> None:
    for job_id in (JOB, OTHER, JOB):
        RqQueue(empty_redis, "jobs").ring(job_id)

    assert hear_all(empty_redis) == [JOB, OTHER, JOB]


def test_only_the_id_crosses_as_json(empty_redis: "redis.Redis") -> None:
    RqQueue(empty_redis, "jobs").ring(JOB)

    queue = Queue("jobs", connection=empty_redis, serializer=JSONSerializer)
    (message,) = queue.jobs
    assert (message.func_name, message.args, message.kwargs) == (RING, [JOB], {})
    assert message.timeout == -1
    assert (message.result_ttl, message.failure_ttl) == (0, 0)
    assert message.retries_left is None
    assert message.meta == {}
    assert message.description == "ring"


def test_our_message_names_no_function_that_a_stock_worker_could_call(
    empty_redis: "redis.Redis",
) -> None:
    RqQueue(empty_redis, "jobs").ring(JOB)

    queue = Queue("jobs", connection=empty_redis, serializer=JSONSerializer)
    with pytest.raises((ImportError, ValueError, AttributeError)):
        _ = queue.jobs[0].func


@pytest.mark.parametrize("job_id", ["", "x", "../x", JOB + "\n", "os.system"])
def test_what_is_no_job_id_is_not_rung_for(empty_redis: "redis.Redis", job_id: str) -> None:
    with pytest.raises(BugError, match="NOT_A_JOB_ID"):
        RqQueue(empty_redis, "jobs").ring(job_id)

    assert hear_all(empty_redis) == []


def test_nothing_is_left_in_redis_after_a_job_but_the_queue_s_name(
    empty_redis: "redis.Redis",
) -> None:
    for _ in range(3):
        RqQueue(empty_redis, "jobs").ring(JOB)
    hear_all(empty_redis)

    assert all_keys(empty_redis) == {b"rq:queues"}


def test_another_queue_s_rings_are_not_heard(empty_redis: "redis.Redis") -> None:
    RqQueue(empty_redis, "others").ring(JOB)

    assert hear_all(empty_redis) == []


def test_after_so_many_jobs_it_stops_and_leaves_the_rest(empty_redis: "redis.Redis") -> None:
    for job_id in (JOB, OTHER):
        RqQueue(empty_redis, "jobs").ring(job_id)

    assert hear_all(empty_redis, max_jobs=1) == [JOB]
    assert hear_all(empty_redis, max_jobs=0) == []
    assert hear_all(empty_redis) == [OTHER]


def test_the_handler_runs_in_the_thread_that_called(empty_redis: "redis.Redis") -> None:
    """A sandbox that dies with its starter follows the thread that started it."""
    RqQueue(empty_redis, "jobs").ring(JOB)
    threads: list[int] = []

    RingWorker(empty_redis, "jobs", lambda _: threads.append(threading.get_ident())).run(
        stop_requested=never, burst=True
    )

    assert threads == [threading.get_ident()]


def test_a_ring_whose_handler_did_not_return_is_heard_again_by_the_next_worker(
    empty_redis: "redis.Redis",
) -> None:
    class Killed(BaseException):
        pass

    def die(_: str) -> None:
        raise Killed

    RqQueue(empty_redis, "jobs").ring(JOB)
    with pytest.raises(Killed):
        RingWorker(empty_redis, "jobs", die).run(stop_requested=never, burst=True)

    assert hear_all(empty_redis) == [JOB]
    assert all_keys(empty_redis) == {b"rq:queues"}


def test_two_workers_share_the_rings(empty_redis: "redis.Redis") -> None:
    rings = [f"20260304-050607-{number:010x}" for number in range(40)]
    heard: list[str] = []
    workers = [
        threading.Thread(
            target=RingWorker(empty_redis, "jobs", heard.append).run,
            kwargs={"stop_requested": lambda: len(set(heard)) == len(rings)},
        )
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for job_id in rings:
        RqQueue(empty_redis, "jobs").ring(job_id)
    for worker in workers:
        worker.join()

    # at least once: what one worker was busy with while the other started may ring twice
    assert set(heard) == set(rings)


def test_the_client_s_own_timeouts_are_left_alone(empty_redis: "redis.Redis") -> None:
    before = dict(empty_redis.connection_pool.connection_kwargs)

    hear_all(empty_redis)

    assert empty_redis.connection_pool.connection_kwargs == before


def test_an_idle_worker_stops_when_asked(empty_redis: "redis.Redis") -> None:
    asked: list[bool] = []

    def at_the_second_time() -> bool:
        asked.append(True)
        return len(asked) > 1

    assert RingWorker(empty_redis, "jobs", print).run(stop_requested=at_the_second_time) == 0


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], bool]]]:
    """A data folder, and a question that waits until its worker has heard a ring."""
    heard = threading.Event()
    stop = threading.Event()
    server = EmbeddedRedis(tmp_path, uid=os.getuid())
    with client_of(server.url) as client:
        worker = threading.Thread(
            target=RingWorker(client, "jobs", lambda _: heard.set()).run,
            kwargs={"stop_requested": stop.is_set},
        )
        worker.start()
        yield tmp_path, lambda: heard.wait(20)
        stop.set()
        worker.join()


def test_a_worker_waits_for_redis_to_come(
    listening: tuple[Path, Callable[[], bool]],
) -> None:
    data_root, hears = listening

    with EmbeddedRedis(data_root, uid=os.getuid()) as server:
        with client_of(server.url) as client:
            RqQueue(client, "jobs").ring(JOB)
        assert hears()


def test_without_redis_a_ring_and_a_burst_are_unavailable_errors(tmp_path: Path) -> None:
    with client_of(f"unix://{tmp_path}/nobody.sock") as client:
        with pytest.raises(UnavailableError, match="REDIS_UNAVAILABLE"):
            RqQueue(client, "jobs").ring(JOB)
        with pytest.raises(UnavailableError, match="REDIS_UNAVAILABLE"):
            hear_all(client)
