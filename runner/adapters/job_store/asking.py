"""How Redis is asked: what goes unanswered is asked once more, what fails says what to do."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import redis

from runner.errors import UnavailableError


def tell(script: Callable[..., Any], *, keys: Sequence[str], args: Sequence[str | int]) -> Any:
    """What ``script`` answers; it is told twice where the first reply was lost.

    Raises:
        UnavailableError: ``REDIS_UNAVAILABLE``.
    """
    with reaching_redis():
        try:
            return script(keys=keys, args=args)
        except (redis.ConnectionError, redis.TimeoutError):
            return script(keys=keys, args=args)


@contextlib.contextmanager
def reaching_redis() -> Iterator[None]:
    """Where Redis is spoken to: its errors leave as ours.

    Raises:
        UnavailableError: ``REDIS_UNAVAILABLE``.
    """
    try:
        yield
    except redis.RedisError as error:
        raise UnavailableError(
            "REDIS_UNAVAILABLE",
            f"Redis can't be used: {error}",
            remedy="start Redis, or mend what it says; then try again",
        ) from error
