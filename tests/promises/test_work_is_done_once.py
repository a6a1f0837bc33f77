"""Races and repeats by which one request becomes two jobs, or one job runs twice."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
import redis

from runner.adapters.job_store import CancelOutcome, JobStore, Submitted
from runner.adapters.redis_server import EmbeddedRedis
from runner.adapters.rq_queue import RingWorker, RqQueue
from runner.errors import RefusedError
from runner.model.job import Status
from tests.support.lost_replies import LossyDoor
from tests.support.redis_servers import client_of, server_pid, wait_for_end
from tests.support.stored_jobs import NOW, ONE_HASH, OTHER_HASH, new_job

pytest_plugins = ("tests.support.redis_fixtures",)

ROOT = Path(__file__).resolve().parents[2]

Got = TypeVar("Got")

SUBMITTER = """
import json, sys
import redis
from runner.adapters.job_store import JobStore
from tests.support.stored_jobs import ONE_HASH, new_job
client = redis.Redis.from_url(sys.argv[1])
store, job = JobStore(client), new_job()
print("ready", flush=True)
sys.stdin.read()
submitted = store.submit(job, idempotency_key="k", input_hash=ONE_HASH)
print(json.dumps([submitted.job_id, submitted.created]))
"""


def at_once(count: int, act: Callable[[int], Got]) -> list[Got]:
    """What each of ``count`` threads got that acted at the same moment."""
    together = threading.Barrier(count)

    def one(number: int) -> Got:
        together.wait(20)
        return act(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_ten_clients_with_one_key_at_once_make_one_job(empty_redis: "redis.Redis") -> None:
    store = JobStore(empty_redis)

    def submit(_: int) -> Submitted:
        return store.submit(new_job(), idempotency_key="k", input_hash=ONE_HASH)

    answers = at_once(10, submit)

    assert sum(answer.created for answer in answers) == 1
    assert len({answer.job_id for answer in answers}) == 1
    assert [job.job_id for job in store.list(limit=20)] == [answers[0].job_id]


def test_ten_processes_with_one_key_at_once_make_one_job(
    empty_redis: "redis.Redis", redis_url: str
) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SUBMITTER, redis_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
        )
        for _ in range(10)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    answers = []
    for process in processes:
        assert process.stdout is not None
        with process.stdout:
            answers.append(json.loads(process.stdout.read()))
        assert process.wait(20) == 0

    assert sum(created for _, created in answers) == 1
    assert len({job_id for job_id, _ in answers}) == 1
    assert len(JobStore(empty_redis).list(limit=20)) == 1


def test_one_key_for_two_requests_at_once_makes_one_job_and_refuses_the_other(
    empty_redis: "redis.Redis",
) -> None:
    store = JobStore(empty_redis)

    def submit(number: int) -> str:
        input_hash = (ONE_HASH, OTHER_HASH)[number % 2]
        try:
            store.submit(new_job(), idempotency_key="k", input_hash=input_hash)
        except RefusedError as error:
            return error.code
        return input_hash

    answers = at_once(10, submit)

    (job,) = store.list(limit=20)
    assert answers.count("IDEMPOTENCY_CONFLICT") == 5
    assert len(set(answers)) == 2
    assert job.status is Status.QUEUED


def test_of_twenty_that_claim_one_job_one_gets_it(empty_redis: "redis.Redis") -> None:
    store = JobStore(empty_redis)
    job = new_job()
    store.submit(job, idempotency_key=None, input_hash=ONE_HASH)

    fences = at_once(20, lambda n: store.claim(job.job_id, worker=f"w{n}", now=NOW, lease_s=30))

    assert [fence for fence in fences if fence is not None] == [1]
    stored = store.get(job.job_id)
    assert stored is not None
    assert stored.attempt == 1


def test_a_cancel_and_a_claim_at_once_never_run_a_cancelled_job(
    empty_redis: "redis.Redis",
) -> None:
    store = JobStore(empty_redis)
    for _ in range(20):
        job_id = new_job().job_id
        job = new_job().model_copy(update={"job_id": job_id})
        store.submit(job, idempotency_key=None, input_hash=ONE_HASH)

        def act(number: int, job_id: str = job_id) -> CancelOutcome | int | None:
            if number:
                return store.claim(job_id, worker="w", now=NOW, lease_s=30)
            return store.request_cancel(job_id, NOW)

        cancelled, fence = at_once(2, act)

        assert (cancelled, fence) in ((CancelOutcome.CANCELLED, None), (CancelOutcome.REQUESTED, 1))


def test_a_ring_that_is_doubled_or_forged_finds_nothing_to_claim(
    empty_redis: "redis.Redis",
) -> None:
    """RQ delivers at least once; the claim decides."""
    store, queue = JobStore(empty_redis), RqQueue(empty_redis, "jobs")
    job = new_job()
    store.submit(job, idempotency_key=None, input_hash=ONE_HASH)
    ran: list[str] = []

    def execute(job_id: str) -> None:
        fence = store.claim(job_id, worker="w", now=NOW, lease_s=30)
        if fence is not None:
            ran.append(job_id)
            store.finish(job_id, fence=fence, status=Status.SUCCESS, reason=None, now=NOW)

    for job_id in (job.job_id, job.job_id, new_job().job_id, job.job_id):
        queue.ring(job_id)
    RingWorker(empty_redis, "jobs", execute).run(stop_requested=lambda: False, burst=True)

    assert ran == [job.job_id]


def test_who_lost_the_claim_is_not_heard_any_more(empty_redis: "redis.Redis") -> None:
    """Fencing: the late end of an earlier holder doesn't become the job's end."""
    store = JobStore(empty_redis)
    job = new_job()
    store.submit(job, idempotency_key=None, input_hash=ONE_HASH)
    lost = store.claim(job.job_id, worker="first", now=NOW, lease_s=30)
    assert lost is not None
    # as recovery does when a worker is gone
    empty_redis.hset(f"aiops:job:{job.job_id}", "status", "queued")
    taken_over = store.claim(job.job_id, worker="second", now=NOW, lease_s=30)
    assert taken_over is not None

    assert taken_over > lost
    assert not store.renew(job.job_id, fence=lost, now=NOW, lease_s=30)
    assert not store.finish(job.job_id, fence=lost, status=Status.ERROR, reason="X", now=NOW)
    assert store.finish(job.job_id, fence=taken_over, status=Status.SUCCESS, reason=None, now=NOW)


def test_a_lost_reply_loses_neither_the_job_nor_the_claim(
    state_dir: Path, redis_url: str, empty_redis: "redis.Redis"
) -> None:
    """It was carried out, and telling it again has to answer as the lost reply would have."""
    server = Path(redis_url.removeprefix("unix://"))
    with (
        LossyDoor(state_dir / "door", server).open() as door,
        client_of(door.url) as client,
    ):
        store, job = JobStore(client), new_job()
        # once each, so that the server knows the scripts: else the reply lost is "not known"
        store.submit(new_job(), idempotency_key=None, input_hash=ONE_HASH)
        store.claim("none", worker="w", now=NOW, lease_s=30)
        store.finish("none", fence=None, status=Status.ERROR, reason="X", now=NOW)
        for _ in range(2):
            door.lose_reply_to(job.job_id)
            submitted = store.submit(job, idempotency_key="k", input_hash=ONE_HASH)
            assert submitted == Submitted(job.job_id, created=True)
        door.lose_reply_to("w-lost")
        fence = store.claim(job.job_id, worker="w-lost", now=NOW, lease_s=30)
        assert fence == 1
        door.lose_reply_to("MUTATION")
        assert store.finish(
            job.job_id, fence=fence, status=Status.FAILURE, reason="MUTATION", now=NOW
        )
        assert door.lost == 4

    stored = JobStore(empty_redis).get(job.job_id)
    assert stored is not None
    assert (stored.status, stored.attempt) == (Status.FAILURE, 1)


def test_a_server_killed_with_9_has_lost_nothing_that_was_told(tmp_path: Path) -> None:
    job = new_job()
    with EmbeddedRedis(tmp_path, uid=os.getuid()) as server, client_of(server.url) as client:
        JobStore(client).submit(job, idempotency_key="k", input_hash=ONE_HASH)
        pidfd = os.pidfd_open(server_pid(tmp_path))
        os.kill(server_pid(tmp_path), 9)
        assert wait_for_end(pidfd)

        with EmbeddedRedis(tmp_path, uid=os.getuid()):
            again = JobStore(client).submit(new_job(), idempotency_key="k", input_hash=ONE_HASH)

    assert again == Submitted(job.job_id, created=False)


@pytest.mark.parametrize("key", ["k", None])
def test_still_allows_two_requests_that_are_two(
    empty_redis: "redis.Redis", key: str | None
) -> None:
    store = JobStore(empty_redis)
    store.submit(new_job(), idempotency_key=key, input_hash=ONE_HASH)

    assert store.submit(new_job(), idempotency_key="another", input_hash=ONE_HASH).created
    assert len(store.list(limit=5)) == 2
