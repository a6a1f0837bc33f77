"""The server's life: the first user starts it, others join, the last one out stops it.

Four lock files beside the data say who does what; all are freed by the kernel when their holder
ends (flock(2)). ``start.lock``: one at a time joins or leaves. ``users.lock``: shared by users,
exclusive for who ends the server. ``server.lock``: held by the server itself. ``guard.lock``:
held by the guard (see ``guard``), which ends the server when users die without leaving.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import structlog

from runner.adapters.redis_server import guard
from runner.adapters.redis_server.binaries import SYSTEM_FOLDERS, ServerBinary, find_server
from runner.adapters.redis_server.folders import make_private, socket_path
from runner.adapters.redis_server.launch import (
    LOG_NAME,
    DidNotStartError,
    ask,
    launch,
    launch_guard,
    reap,
    wait_for_answer,
)
from runner.errors import UnavailableError

_log = structlog.get_logger(__name__)


class EmbeddedRedis:
    """A user's share in the private server of ``data_root``; a context manager.

    Inside the context a server answers at ``url``, which no other user of the machine can reach
    and which keeps its data. Any number of processes may be inside at once. If the server itself
    is killed, who enters next starts it again; who is inside finds it at the same ``url``.

    Attributes:
        url: For ``redis.Redis.from_url``.
        kind: ``redis`` or ``valkey``; known inside the context.
        version: As the server tells it; likewise.
        binary: The program that runs; likewise.
    """

    def __init__(
        self,
        data_root: Path,
        *,
        uid: int,
        runtime_root: Path | None = None,
        search_path: str = SYSTEM_FOLDERS,
    ) -> None:
        """Touches nothing yet.

        Args:
            data_root: For the data and the lock files; made private to ``uid``.
            uid: Of the calling process.
            runtime_root: The user's runtime folder (``$XDG_RUNTIME_DIR``), where there is one.
            search_path: Where to look for an installed server before the wheel's is taken.
        """
        self._data_root = data_root.absolute()
        self._uid = uid
        self._socket = socket_path(self._data_root, uid=uid, runtime_root=runtime_root)
        self._search_path = search_path
        self._users = -1
        self.url = f"unix://{quote(str(self._socket))}"
        self.kind = ""
        self.version = ""
        self.binary: Path | None = None

    def __enter__(self) -> Self:
        make_private(self._data_root, uid=self._uid)
        try:
            with self._one_at_a_time():
                self._users = guard.open_lock(self._data_root / guard.USERS_LOCK)
                try:
                    # waits here while a guard is ending the server of users that died
                    fcntl.flock(self._users, fcntl.LOCK_SH)
                    make_private(self._socket.parent, uid=self._uid)
                    # first, so that there is no moment in which a server is without
                    self._be_guarded()
                    if not self._join():
                        self._start()
                    self._learn()
                except BaseException:
                    self._leave()
                    raise
        except OSError as error:
            raise UnavailableError(
                "REDIS_UNAVAILABLE",
                f"the embedded server in {self._data_root} can't be used: {error}",
                remedy="look at the folder's owner and free space, or set REDIS_URL",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._one_at_a_time():
            self._leave()

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        fd = guard.open_lock(self._data_root / "start.lock")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _join(self) -> bool:
        """Whether a server runs already and answers; one that can't be reached is ended."""
        pidfd = guard.running_server(self._data_root)
        if pidfd is None:
            return False
        try:
            if self._socket.exists() and wait_for_answer(self._socket, pidfd):
                return True
            # alive, but its socket is gone (cleaners of /tmp do that): a second server on the
            # same data would ruin it
            _log.warning("redis.unreachable_server_ended", data=str(self._data_root))
            guard.end_server(pidfd, self._socket)
        finally:
            os.close(pidfd)
        return False

    def _start(self) -> None:
        binary = find_server(self._search_path)
        data = self._data_root / binary.data_name
        lock = guard.open_lock(self._data_root / guard.SERVER_LOCK)
        try:
            if not guard.try_lock(lock, fcntl.LOCK_EX):
                raise UnavailableError(
                    "REDIS_UNAVAILABLE",
                    f"a server holds {self._data_root} and can't be found",
                    remedy="end the process that has server.lock there open (fuser), try again",
                )
            try:
                launch(binary, self._data_root, self._socket, lock)
            except DidNotStartError as error:
                if not (error.rejected_by_itself and _has_data(data)):
                    raise _unavailable(binary, error) from error
                self._start_afresh(binary, data, lock, error)
        finally:
            os.close(lock)

    def _start_afresh(
        self, binary: ServerBinary, data: Path, lock: int, first: DidNotStartError
    ) -> None:
        """Sets data that can't be read aside; brings it back if that wasn't the reason."""
        aside = _free_name(data)
        data.rename(aside)
        try:
            launch(binary, self._data_root, self._socket, lock)
        except (DidNotStartError, OSError) as error:
            shutil.rmtree(data, ignore_errors=True)  # made a moment ago, by this attempt
            aside.rename(data)
            raise _unavailable(binary, error) from error
        _log.warning("redis.data_set_aside", data=str(aside), why=str(first))

    def _be_guarded(self) -> None:
        lock = guard.open_lock(self._data_root / "guard.lock")
        try:
            if guard.try_lock(lock, fcntl.LOCK_EX):
                users = guard.open_lock(self._data_root / guard.USERS_LOCK)
                try:
                    launch_guard(self._data_root, self._socket, users, lock)
                finally:
                    os.close(users)
        finally:
            os.close(lock)

    def _learn(self) -> None:
        lines = ask(self._socket, b"INFO server").decode(errors="replace").splitlines()
        told = dict(line.split(":", 1) for line in lines if ":" in line)
        self.kind = "valkey" if "valkey_version" in told else "redis"
        self.version = told[f"{self.kind}_version"]
        self.binary = Path(told["executable"])

    def _leave(self) -> None:
        """Gives the share back; the last one ends the server and waits for its guard."""
        ended = None
        try:
            if guard.try_lock(self._users, fcntl.LOCK_EX):
                self._end_all()
                ended = self._data_root
            elif not guard.try_lock(self._users, fcntl.LOCK_SH):
                # the guard was quicker: it holds the lock until the server is gone
                fcntl.flock(self._users, fcntl.LOCK_SH)
            # by name, since a forked child may still hold the same lock open
            fcntl.flock(self._users, fcntl.LOCK_UN)
        finally:
            os.close(self._users)
            self._users = -1
            reap(ended)

    def _end_all(self) -> None:
        pidfd = guard.running_server(self._data_root)
        if pidfd is not None:
            guard.end_server(pidfd, self._socket)
            os.close(pidfd)
        guard.remove_socket(self._socket)
        fcntl.flock(self._users, fcntl.LOCK_UN)
        lock = guard.open_lock(self._data_root / "guard.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        finally:
            os.close(lock)


def _has_data(data: Path) -> bool:
    return any(entry.name != LOG_NAME for entry in data.iterdir())


def _free_name(data: Path) -> Path:
    """Where unreadable data goes, named after when it was last written to."""
    written = max(entry.stat().st_mtime for entry in (data, *data.rglob("*")))
    stamp = datetime.fromtimestamp(written, UTC).strftime("%Y%m%dT%H%M%SZ")
    numbers = ("", *(f".{number}" for number in range(2, 1000)))
    names = (f"{data.name}.{stamp}{number}.broken" for number in numbers)
    return next(path for name in names if not (path := data.with_name(name)).exists())


def _unavailable(binary: ServerBinary, error: Exception) -> UnavailableError:
    return UnavailableError(
        "REDIS_UNAVAILABLE",
        f"{binary.path} doesn't start: {error}",
        remedy="free some disk space, mend what it says, or set REDIS_URL to another server",
    )
