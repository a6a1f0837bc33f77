"""A runner and its Redis: the configured one, else a private one of its own."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import redis

from runner.adapters.job_store import JobStore
from runner.adapters.redis_server import EmbeddedRedis
from runner.adapters.rq_queue import RqQueue
from runner.bootstrap.core import Runner
from runner.errors import UnavailableError

_REDIS_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Live:
    """A runner that is connected to its Redis."""

    runner: Runner
    client: "redis.Redis"
    store: JobStore

    def queue(self, name: str) -> RqQueue:
        """The queue called ``name``."""
        return RqQueue(self.client, name)


@contextlib.contextmanager
def live(runner: Runner) -> Iterator[Live]:
    """``runner``, connected: to the configured Redis, else to a private one of its own.

    Raises:
        UnavailableError: ``REDIS_UNAVAILABLE``.
    """
    with contextlib.ExitStack() as stack:
        url = runner.settings.redis_url
        if url is None:
            runtime = runner.settings.runtime_root
            server = EmbeddedRedis(runner.paths.redis, uid=os.getuid(), runtime_root=runtime)
            url = stack.enter_context(server).url
        # not the library's default, which in some versions is to wait for ever
        client = redis.Redis.from_url(
            url, socket_timeout=_REDIS_TIMEOUT_S, socket_connect_timeout=_REDIS_TIMEOUT_S
        )
        stack.callback(client.close)
        try:
            client.ping()
        except redis.RedisError as error:
            raise UnavailableError(
                "REDIS_UNAVAILABLE",
                f"Redis doesn't answer: {error}",
                remedy="start it, or unset AIOPS_REDIS_URL to use a private one",
            ) from error
        yield Live(runner, client, JobStore(client))
