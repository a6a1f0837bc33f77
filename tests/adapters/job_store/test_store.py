"""The store: each change once, whoever says it how often."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from runner.adapters.job_store import CancelOutcome, JobStore, Submitted
from runner.errors import BugError, IntegrityError, RefusedError, UnavailableError
from runner.model.job import Status
from tests.support.redis_servers import client_of
from tests.support.stored_jobs import NOW, ONE_HASH, OTHER_HASH, claimed, new_job, stored

pytest_plugins = ("tests.support.redis_fixtures",)


@pytest.fixture
def store(empty_redis: "redis.Redis") -> JobStore:
    return JobStore(empty_redis)


def test_what_was_stored_is_what_is_got(store: JobStore) -> None:
    job = stored(store)

    assert store.get(job.job_id) == job


def test_an_unknown_job_is_none(store: JobStore) -> None:
    assert store.get("20260304-050607-0000000000") is None


@pytest.mark.parametrize("status", [Status.RUNNING, Status.SUCCESS])
def test_only_a_new_job_can_be_submitted(store: JobStore, status: Status) -> None:
    with pytest.raises(BugError, match="JOB_NOT_NEW"):
        store.submit(new_job(status=status), idempotency_key=None, input_hash=ONE_HASH)


def test_the_same_key_gives_the_same_job(store: JobStore) -> None:
    first = new_job()
    store.submit(first, idempotency_key="k", input_hash=ONE_HASH)

    again = store.submit(new_job(), idempotency_key="k", input_hash=ONE_HASH)

    assert again == Submitted(first.job_id, created=False)
    assert [job.job_id for job in store.list(limit=10)] == [first.job_id]


def test_the_same_key_gives_the_same_job_after_it_has_ended(store: JobStore) -> None:
    first = new_job()
    store.submit(first, idempotency_key="k", input_hash=ONE_HASH)
    fence = store.claim(first.job_id, worker="w", now=NOW, lease_s=30)
    store.finish(first.job_id, fence=fence, status=Status.SUCCESS, reason=None, now=NOW)

    assert store.submit(new_job(), idempotency_key="k", input_hash=ONE_HASH) == Submitted(
        first.job_id, created=False
    )


def test_another_key_gives_another_job(store: JobStore) -> None:
    store.submit(new_job(), idempotency_key="k", input_hash=ONE_HASH)

    assert store.submit(new_job(), idempotency_key="l", input_hash=ONE_HASH).created
    assert store.submit(new_job(), idempotency_key=None, input_hash=ONE_HASH).created
    assert store.submit(new_job(), idempotency_key="", input_hash=ONE_HASH).created
    assert not store.submit(new_job(), idempotency_key="", input_hash=ONE_HASH).created


def test_the_same_key_for_another_request_is_refused_and_stores_nothing(store: JobStore) -> None:
    first = new_job()
    store.submit(first, idempotency_key="k", input_hash=ONE_HASH)

    with pytest.raises(RefusedError, match=first.job_id) as caught:
        store.submit(new_job(), idempotency_key="k", input_hash=OTHER_HASH)

    assert caught.value.code == "IDEMPOTENCY_CONFLICT"
    assert len(store.list(limit=10)) == 1


@pytest.mark.parametrize("key", ["k" * 100_000, "a:b\n\0", "\udcff", "é"])
def test_any_key_will_do_and_is_not_kept(
    store: JobStore, empty_redis: "redis.Redis", key: str
) -> None:
    first = store.submit(new_job(), idempotency_key=key, input_hash=ONE_HASH)
    again = store.submit(new_job(), idempotency_key=key, input_hash=ONE_HASH)

    assert (first.created, again.created) == (True, False)
    assert all(len(name) < 100 for name in empty_redis.keys())  # noqa: SIM118  (a command)


@pytest.mark.parametrize("key", [None, "k"])
def test_a_submit_that_is_told_twice_made_the_job_both_times(
    store: JobStore, key: str | None
) -> None:
    """What got no reply is told again."""
    job = new_job()

    for _ in range(2):
        assert store.submit(job, idempotency_key=key, input_hash=ONE_HASH) == Submitted(
            job.job_id, created=True
        )

    assert store.list(limit=10) == (job,)


def test_an_id_that_is_taken_is_a_bug_and_changes_nothing(store: JobStore) -> None:
    job = stored(store)

    with pytest.raises(BugError, match="JOB_ID_TAKEN"):
        store.submit(job, idempotency_key=None, input_hash=OTHER_HASH)
    with pytest.raises(BugError, match="JOB_ID_TAKEN"):
        store.submit(job, idempotency_key="k", input_hash=ONE_HASH)

    assert store.submit(new_job(), idempotency_key="k", input_hash=ONE_HASH).created


def test_a_claim_makes_the_job_run(store: JobStore) -> None:
    job_id, fence = claimed(store)

    job = store.get(job_id)
    assert job is not None
    assert (job.status, job.started_at, job.attempt, job.fence) == (Status.RUNNING, NOW, 1, fence)


def test_a_claimed_job_is_not_to_be_had_again(store: JobStore) -> None:
    job_id, _ = claimed(store)

    assert store.claim(job_id, worker="x", now=NOW, lease_s=30) is None
    assert store.claim(job_id, worker="w", now=NOW + timedelta(days=1), lease_s=30) is None


@pytest.mark.parametrize("status", [s for s in Status if s.is_terminal])
def test_an_ended_job_is_not_to_be_had(store: JobStore, status: Status) -> None:
    job_id = stored(store).job_id
    store.finish(job_id, fence=None, status=status, reason=None, now=NOW)

    assert store.claim(job_id, worker="w", now=NOW, lease_s=30) is None


def test_a_job_that_awaits_approval_is_not_to_be_had(store: JobStore) -> None:
    job = stored(store, new_job(status=Status.AWAITING_APPROVAL))

    assert store.claim(job.job_id, worker="w", now=NOW, lease_s=30) is None


def test_an_unknown_job_is_not_to_be_had_and_leaves_no_trace(
    store: JobStore, empty_redis: "redis.Redis"
) -> None:
    job_id = "20260304-050607-0000000000"

    assert store.claim(job_id, worker="w", now=NOW, lease_s=30) is None
    assert not store.renew(job_id, fence=1, now=NOW, lease_s=30)
    assert not store.finish(job_id, fence=1, status=Status.ERROR, reason="X", now=NOW)
    assert not store.finish(job_id, fence=None, status=Status.ERROR, reason="X", now=NOW)
    assert store.request_cancel(job_id, NOW) is CancelOutcome.UNKNOWN
    assert not store.cancel_requested(job_id)
    assert empty_redis.dbsize() == 0


def test_the_holder_renews_also_after_the_lease_ran_out(store: JobStore) -> None:
    """Nobody took it over: an outage of Redis is no lost lease."""
    job_id, fence = claimed(store)

    assert store.renew(job_id, fence=fence, now=NOW + timedelta(hours=1), lease_s=30)


def test_the_lease_is_written_down(store: JobStore, empty_redis: "redis.Redis") -> None:
    job_id, fence = claimed(store)
    key = f"aiops:job:{job_id}"
    assert empty_redis.hget(key, "lease_until_ms") == str(_ms(30)).encode()

    store.renew(job_id, fence=fence, now=NOW + timedelta(seconds=10), lease_s=30)

    assert empty_redis.hget(key, "lease_until_ms") == str(_ms(40)).encode()
    assert empty_redis.hget(key, "worker") == b"w"


def _ms(seconds: int) -> int:
    return int((NOW.timestamp() + seconds) * 1000)


def test_another_fencing_number_renews_and_ends_nothing(store: JobStore) -> None:
    job_id, fence = claimed(store)

    for stale in (fence - 1, fence + 1):
        assert not store.renew(job_id, fence=stale, now=NOW, lease_s=30)
        assert not store.finish(job_id, fence=stale, status=Status.ERROR, reason="X", now=NOW)

    job = store.get(job_id)
    assert job is not None
    assert job.status is Status.RUNNING


def test_the_holder_ends_the_job(store: JobStore) -> None:
    job_id, fence = claimed(store)
    later = NOW + timedelta(seconds=5)

    assert store.finish(job_id, fence=fence, status=Status.FAILURE, reason="EXIT_CODE", now=later)

    job = store.get(job_id)
    assert job is not None
    assert (job.status, job.reason, job.finished_at) == (Status.FAILURE, "EXIT_CODE", later)
    assert not store.renew(job_id, fence=fence, now=NOW, lease_s=30)


@pytest.mark.parametrize("reason", [None, "EXIT_CODE"])
def test_an_end_that_is_told_twice_is_true_both_times(store: JobStore, reason: str | None) -> None:
    job_id, fence = claimed(store)

    for _ in range(2):
        assert store.finish(job_id, fence=fence, status=Status.FAILURE, reason=reason, now=NOW)


def test_the_first_end_stands(store: JobStore) -> None:
    job_id, fence = claimed(store)
    store.finish(job_id, fence=fence, status=Status.SUCCESS, reason=None, now=NOW)

    assert not store.finish(job_id, fence=fence, status=Status.ERROR, reason="X", now=NOW)
    assert not store.finish(job_id, fence=fence, status=Status.ERROR, reason=None, now=NOW)
    assert not store.finish(job_id, fence=fence, status=Status.SUCCESS, reason="X", now=NOW)
    assert not store.finish(job_id, fence=None, status=Status.SUCCESS, reason=None, now=NOW)

    job = store.get(job_id)
    assert job is not None
    assert (job.status, job.reason) == (Status.SUCCESS, None)


def test_without_a_claim_only_a_job_that_has_not_started_can_be_ended(store: JobStore) -> None:
    running, _ = claimed(store)
    queued = stored(store).job_id
    awaiting = stored(store, new_job(status=Status.AWAITING_APPROVAL)).job_id

    def rejected(job_id: str) -> bool:
        return store.finish(job_id, fence=None, status=Status.REJECTED, reason="X", now=NOW)

    assert not rejected(running)
    assert rejected(queued)
    assert rejected(awaiting)


def test_a_job_cannot_end_in_a_status_that_is_none_of_an_end(store: JobStore) -> None:
    job_id, fence = claimed(store)

    with pytest.raises(BugError, match="JOB_NOT_ENDED"):
        store.finish(job_id, fence=fence, status=Status.QUEUED, reason=None, now=NOW)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.AWAITING_APPROVAL])
def test_cancelling_a_job_that_has_not_started_ends_it(store: JobStore, status: Status) -> None:
    job_id = stored(store, new_job(status=status)).job_id

    assert store.request_cancel(job_id, NOW) is CancelOutcome.CANCELLED

    job = store.get(job_id)
    assert job is not None
    assert (job.status, job.reason, job.finished_at) == (Status.CANCELLED, "CANCELLED", NOW)
    assert store.claim(job_id, worker="w", now=NOW, lease_s=30) is None
    assert store.request_cancel(job_id, NOW) is CancelOutcome.ALREADY_ENDED
    # whoever seals its record says the same once more
    assert store.finish(job_id, fence=None, status=Status.CANCELLED, reason="CANCELLED", now=NOW)


def test_cancelling_a_running_job_asks_its_worker(store: JobStore) -> None:
    job_id, fence = claimed(store)
    assert not store.cancel_requested(job_id)

    for _ in range(2):
        assert store.request_cancel(job_id, NOW) is CancelOutcome.REQUESTED

    assert store.cancel_requested(job_id)
    job = store.get(job_id)
    assert job is not None
    assert (job.status, job.cancel_requested) == (Status.RUNNING, True)
    assert store.finish(job_id, fence=fence, status=Status.CANCELLED, reason="CANCELLED", now=NOW)


def test_cancelling_an_ended_job_changes_nothing(store: JobStore) -> None:
    job_id, fence = claimed(store)
    store.finish(job_id, fence=fence, status=Status.SUCCESS, reason=None, now=NOW)

    assert store.request_cancel(job_id, NOW) is CancelOutcome.ALREADY_ENDED
    assert not store.cancel_requested(job_id)


def test_two_prefixes_are_two_stores(empty_redis: "redis.Redis") -> None:
    job = stored(JobStore(empty_redis, prefix="one"))

    assert JobStore(empty_redis, prefix="two").get(job.job_id) is None
    assert JobStore(empty_redis, prefix="two").list(limit=5) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [("status", "sleeping"), ("created_at", "soon"), ("sha", "x"), ("fence", "")],
)
def test_what_is_no_job_is_an_integrity_error(
    store: JobStore, empty_redis: "redis.Redis", field: str, value: str
) -> None:
    job_id = stored(store).job_id
    empty_redis.hset(f"aiops:job:{job_id}", field, value)

    with pytest.raises(IntegrityError, match="JOB_STATE_CORRUPT"):
        store.get(job_id)


def test_scripts_are_loaded_again_by_a_server_that_forgot_them(
    store: JobStore, empty_redis: "redis.Redis"
) -> None:
    stored(store)
    empty_redis.script_flush()

    stored(store)


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[JobStore]:
    with client_of(f"unix://{tmp_path}/nobody.sock") as client:
        yield JobStore(client)


def test_without_redis_every_question_is_an_unavailable_error(nowhere: JobStore) -> None:
    job = new_job()
    questions = (
        lambda: nowhere.submit(job, idempotency_key=None, input_hash=ONE_HASH),
        lambda: nowhere.get(job.job_id),
        lambda: nowhere.claim(job.job_id, worker="w", now=NOW, lease_s=1),
        lambda: nowhere.cancel_requested(job.job_id),
        lambda: nowhere.list(limit=1),
    )
    for ask in questions:
        with pytest.raises(UnavailableError, match="REDIS_UNAVAILABLE") as caught:
            ask()
        assert caught.value.remedy
