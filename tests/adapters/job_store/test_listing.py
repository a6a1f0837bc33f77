"""Lists of jobs: newest first, page by page, and no longer than what is in them."""

import pytest
import redis

from runner.adapters.job_store import JobStore
from runner.model.job import Status
from tests.support.stored_jobs import NOW, claimed, new_job, stored

pytest_plugins = ("tests.support.redis_fixtures",)


@pytest.fixture
def store(empty_redis: "redis.Redis") -> JobStore:
    return JobStore(empty_redis)


def test_jobs_are_listed_newest_first_page_by_page(store: JobStore) -> None:
    jobs = [stored(store, new_job(age_s=age)) for age in (30, 10, 20, 0, 40)]
    newest_first = sorted(jobs, key=lambda job: job.job_id, reverse=True)

    first = store.list(limit=2)
    second = store.list(limit=2, before=first[-1].job_id)
    third = store.list(limit=2, before=second[-1].job_id)

    assert [*first, *second, *third] == newest_first
    assert store.list(limit=2, before=third[-1].job_id) == ()
    assert store.list(limit=0) == ()


def test_listing_finds_what_is_asked_for_behind_many_others(store: JobStore) -> None:
    wanted = stored(store, new_job(age_s=1000, job_type="rare", repo_name="one"))
    stored(store, new_job(age_s=1001, job_type="rare", repo_name="two"))
    for age in range(250):
        stored(store, new_job(age_s=age))

    assert store.list(limit=5, job_type="rare", repo_name="one") == (wanted,)
    assert len(store.list(limit=5, job_type="rare")) == 2
    assert len(store.list(limit=500)) == 252


def test_a_job_is_listed_under_its_status_of_now_only(store: JobStore) -> None:
    job_id, fence = claimed(store)
    cancelled = stored(store).job_id
    store.request_cancel(cancelled, NOW)

    def listed(status: Status) -> list[str]:
        return [job.job_id for job in store.list(limit=10, status=status)]

    assert listed(Status.RUNNING) == [job_id]
    store.finish(job_id, fence=fence, status=Status.SUCCESS, reason=None, now=NOW)
    assert {status: listed(status) for status in Status if listed(status)} == {
        Status.SUCCESS: [job_id],
        Status.CANCELLED: [cancelled],
    }


def test_no_list_grows_with_jobs_that_have_left_it(
    store: JobStore, empty_redis: "redis.Redis"
) -> None:
    job_id, fence = claimed(store)
    store.finish(job_id, fence=fence, status=Status.SUCCESS, reason=None, now=NOW)
    store.request_cancel(stored(store).job_id, NOW)
    store.finish(stored(store).job_id, fence=None, status=Status.REJECTED, reason="X", now=NOW)

    lists = {key.decode() for key in empty_redis.scan_iter("aiops:jobs:*")}
    assert lists == {f"aiops:jobs:{status}" for status in ("success", "cancelled", "rejected")}
