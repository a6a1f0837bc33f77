"""Going through stored jobs by time, a page at a time."""

from collections.abc import Callable, Iterator
from typing import cast

import redis

from runner.adapters.job_store.asking import reaching_redis
from runner.adapters.job_store.fields import job_of
from runner.model.job import Job


def newest_first(
    client: "redis.Redis",
    ids: str,
    key_of: Callable[[str], str],
    *,
    before: str | None,
    page_size: int,
) -> Iterator[Job]:
    """The jobs of a sorted set of ids, read as they are asked for.

    Args:
        client: Answers in bytes.
        ids: The sorted set's key.
        key_of: A job's key, from its id.
        before: A job id; only older ones come. Null: from the newest on.
        page_size: How many are read at once.

    Raises:
        IntegrityError: ``JOB_STATE_CORRUPT``: what is stored isn't a job.
        UnavailableError: ``REDIS_UNAVAILABLE``.
    """
    last = before
    while True:
        with reaching_redis():
            page = cast(
                "list[bytes]",
                client.zrevrangebylex(
                    ids, "+" if last is None else f"({last}", "-", start=0, num=page_size
                ),
            )
            if not page:
                return
            pipeline = client.pipeline(transaction=False)
            for raw_id in page:
                pipeline.hgetall(key_of(raw_id.decode()))
            rows = pipeline.execute()
        last = page[-1].decode()
        for raw_id, fields in zip(page, rows, strict=True):
            if fields:
                yield job_of(raw_id.decode(), fields)
