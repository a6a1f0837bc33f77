"""What is accepted is durable before anybody is told; what isn't leaves nothing behind."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from runner.adapters.job_folders import JobFolders
from runner.adapters.job_store import JobStore
from runner.adapters.rq_queue import RedisClient, RingWorker, RqQueue
from runner.errors import RefusedError, UnavailableError
from runner.flows.submit import Accepted, plan_for, submit
from runner.model.job import JobPlan, Status
from tests.support import catalogs


def plan(key: str | None = None, **fields: object) -> JobPlan:
    """A new plan of one and the same request, with ``fields`` replaced."""
    request = catalogs.request(idempotency_key=key, **fields)
    return plan_for(request, catalogs.catalog(), now=datetime.now(UTC), randomness=os.urandom(16))


class Desk:
    """Where jobs are submitted to, with a store and a queue of its own."""

    def __init__(self, folder: Path, client: RedisClient) -> None:
        self.client = client
        self.folders = JobFolders(folder / "artifacts")
        self.store = JobStore(client, prefix=f"desk-{folder}")
        self.queue = RqQueue(client, f"desk-{folder}")
        self.name = f"desk-{folder}"

    def submit(self, wanted: JobPlan) -> Accepted:
        """Hands a plan in."""
        return submit(wanted, folders=self.folders, store=self.store, queue=self.queue)

    def heard(self) -> list[str]:
        """The ids that a worker would hear."""
        ids: list[str] = []
        RingWorker(self.client, self.name, ids.append).run(stop_requested=lambda: False, burst=True)
        return ids


@pytest.fixture
def desk(tmp_path: Path, redis_client: RedisClient) -> Desk:
    return Desk(tmp_path, redis_client)


@pytest.fixture
def dead_client(tmp_path: Path) -> Iterator[RedisClient]:
    """A client of a server that isn't there."""
    client = redis.Redis.from_url(f"unix://{tmp_path}/nowhere.sock")
    yield client
    client.close()


def test_an_accepted_job_is_on_disk_in_the_store_and_rung_for(desk: Desk) -> None:
    wanted = plan()
    assert desk.submit(wanted) == Accepted(wanted.job_id, created=True)
    assert desk.folders.open(wanted.job_id).plan().model_dump_json() == wanted.model_dump_json()
    job = desk.store.get(wanted.job_id)
    assert job is not None
    assert job.status is Status.QUEUED
    assert desk.heard() == [wanted.job_id]


def test_the_same_request_with_the_same_key_is_the_same_job(desk: Desk) -> None:
    first, second = plan("k"), plan("k")
    desk.submit(first)
    assert desk.submit(second) == Accepted(first.job_id, created=False)
    assert desk.folders.ids() == (first.job_id,)
    assert desk.heard() == [first.job_id]


def test_another_request_with_the_same_key_is_refused_and_leaves_nothing(desk: Desk) -> None:
    first = plan("k")
    desk.submit(first)
    with pytest.raises(RefusedError, match="IDEMPOTENCY_CONFLICT"):
        desk.submit(plan("k", sha="f" * 40))
    assert desk.folders.ids() == (first.job_id,)


def test_without_redis_the_caller_gets_an_error_and_nothing_is_half_stored(
    tmp_path: Path, dead_client: RedisClient
) -> None:
    desk = Desk(tmp_path, dead_client)
    with pytest.raises(UnavailableError, match="REDIS_UNAVAILABLE"):
        desk.submit(plan())
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_a_folder_that_cannot_be_made_stores_nothing(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file in the way")
    wanted = plan()
    with pytest.raises(UnavailableError, match="STATE_UNWRITABLE"):
        desk.submit(wanted)
    assert desk.store.get(wanted.job_id) is None
    assert desk.heard() == []


def test_a_refused_request_makes_no_plan(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="JOB_TYPE_UNKNOWN"):
        plan(job_type="rm_rf")
