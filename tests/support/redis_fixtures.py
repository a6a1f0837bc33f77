"""Fixtures for tests that talk to a real server; asked for with ``pytest_plugins``."""

import os
from collections.abc import Iterator

import pytest
import redis

from runner.adapters.redis_server import EmbeddedRedis
from tests.support.redis_servers import KINDS, client_of


@pytest.fixture(params=[pytest.param(path, id=kind) for kind, path in KINDS.items()])
def search_path(request: pytest.FixtureRequest) -> str:
    """Where to look for a server: each kind that this machine offers in turn."""
    path: str = request.param
    return path


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of this module's own."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), uid=os.getuid()) as server:
        yield server.url


@pytest.fixture
def empty_redis(redis_url: str) -> Iterator["redis.Redis"]:
    """A client of an empty server."""
    with client_of(redis_url) as client:
        client.flushall()
        yield client
