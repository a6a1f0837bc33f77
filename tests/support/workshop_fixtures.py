"""A real Redis for the whole test process, and a workshop for each backend."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from runner.adapters.redis_server import EmbeddedRedis
from runner.adapters.rq_queue import RedisClient
from tests.support import machine
from tests.support.command_line import CommandLine
from tests.support.folders import remove_sealed
from tests.support.workshop import Workshop


@pytest.fixture(scope="session")
def redis_client() -> Iterator[RedisClient]:
    """A client of a private server that lives as long as the test process."""
    folder = Path(tempfile.mkdtemp(prefix="aiops-", dir="/tmp"))
    with EmbeddedRedis(folder / "data", uid=os.getuid(), runtime_root=folder) as server:
        client = redis.Redis.from_url(server.url)
        yield client
        client.close()
    remove_sealed(folder)


@pytest.fixture(scope="module")
def workshop(request: pytest.FixtureRequest, redis_client: RedisClient) -> Iterator[Workshop]:
    """A workshop for each backend in turn, shared by a module's tests: jobs leave nothing behind.

    A module may name another list of backends in its variable ``WORKSHOP_BACKENDS``.
    """
    backend: str = request.param
    if why := machine.why_not(backend):
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="aiops-", dir="/tmp"))
    folder.chmod(0o711)
    shop = Workshop(folder, redis_client, backend=backend)
    yield shop
    shop.close()
    remove_sealed(folder)


@pytest.fixture
def cli(redis_client: RedisClient) -> Iterator[CommandLine]:
    """The command line of a fresh installation, with whatever sandbox this machine offers."""
    folder = Path(tempfile.mkdtemp(prefix="aiops-", dir="/tmp"))
    folder.chmod(0o711)
    shop = Workshop(folder, redis_client, backend="bubblewrap,landlock")
    yield CommandLine(shop)
    shop.close()
    remove_sealed(folder)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs whoever asks for a workshop once with each backend."""
    if "workshop" in metafunc.fixturenames:
        backends = getattr(metafunc.module, "WORKSHOP_BACKENDS", ("bubblewrap", "landlock"))
        metafunc.parametrize("workshop", backends, indirect=True, scope="module")
