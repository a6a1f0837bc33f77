"""Starts a server process and waits until it answers."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic

from runner.adapters.redis_server import guard
from runner.adapters.redis_server.binaries import ServerBinary

LOG_NAME = "server.log"

_READY_S = 60.0  # reading back a large append-only file takes its time
_LOOK_AGAIN_S = 0.001

# Started by this process, by data folder. They may go on after their starter has stopped using
# them; kept, so that they can be reaped whoever in this process sees them end.
_children: list[tuple[Path, subprocess.Popen[bytes]]] = []


class DidNotStartError(Exception):
    """The server ended, or stayed silent, before it answered.

    Attributes:
        rejected_by_itself: It ended with a status of its own or crashed, as over data that it
            can't read; it wasn't killed and didn't just take too long.
    """

    def __init__(self, said: str, *, rejected_by_itself: bool) -> None:
        super().__init__(said)
        self.rejected_by_itself = rejected_by_itself


def launch(binary: ServerBinary, data_root: Path, socket_path: Path, server_lock: int) -> None:
    """Starts ``binary`` on its data folder below ``data_root`` and waits until it answers.

    In a session of its own: a Ctrl-C in the terminal is for its users, not for it. Without an
    environment: it needs none of what this process knows.

    Args:
        binary: What to start.
        data_root: Of the data folders; the server's pid goes there.
        socket_path: Where it listens, and nowhere else.
        server_lock: A descriptor that holds the lock on ``server.lock``; the server inherits it.

    Raises:
        DidNotStartError: with the end of what it logged.
        OSError: the program can't be run or the folder can't be made.
    """
    data = data_root / binary.data_name
    data.mkdir(mode=0o700, exist_ok=True)
    # that of an earlier server could name any process by now
    (data_root / guard.PID_FILE).unlink(missing_ok=True)
    log = data / LOG_NAME
    with log.open("wb") as output:
        child = subprocess.Popen(
            [binary.path, *_options(data, socket_path, data_root / guard.PID_FILE)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=data,
            env={},
            umask=0o077,
            start_new_session=True,
            pass_fds=(server_lock,),
        )
    _children.append((data_root, child))
    pidfd = os.pidfd_open(child.pid)
    try:
        if wait_for_answer(socket_path, pidfd):
            return
    finally:
        os.close(pidfd)
    silent = child.poll() is None
    child.kill()
    killed = -child.wait() in (signal.SIGKILL, signal.SIGTERM)
    said = f"silent for {_READY_S:.0f} s" if silent else _last_words(log)
    raise DidNotStartError(said, rejected_by_itself=not killed)


def wait_for_answer(socket_path: Path, pidfd: int) -> bool:
    """Whether the server answers, once it does; false if it ends before, or stays silent."""
    deadline = monotonic() + _READY_S
    while not answers(socket_path):
        # its end is awaited; whether it answers has to be asked
        if guard.ended(pidfd, _LOOK_AGAIN_S) or monotonic() > deadline:
            return False
    return True


def launch_guard(data_root: Path, socket_path: Path, users: int, guard_lock: int) -> None:
    """Starts the guard; it inherits ``users``, not yet locked, and the lock on ``guard_lock``."""
    arguments = (data_root, socket_path, str(users), str(guard_lock))
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},
        start_new_session=True,
        pass_fds=(users, guard_lock),
    )
    _children.append((data_root, child))


def reap(data_root: Path | None = None) -> None:
    """Takes leave of children that have ended, so that none stays a zombie.

    Args:
        data_root: Waits for the children of this one: they are known to be at their end.
    """
    for root, child in tuple(_children):
        if root == data_root:
            child.wait()
        if child.poll() is not None:
            _children.remove((root, child))


def answers(socket_path: Path) -> bool:
    """Whether a server answers there now, and has read back its data."""
    try:
        return ask(socket_path, b"PING") == b"PONG"
    except OSError:
        return False


def ask(socket_path: Path, command: bytes, *, timeout_s: float = 5.0) -> bytes:
    """The answer to a command without arguments that hold spaces (RESP *inline commands*).

    Raises:
        OSError: nobody answers.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(socket_path))
        connection.sendall(command + b"\r\n")
        with connection.makefile("rb") as reader:
            first = reader.readline().rstrip(b"\r\n")
            if first.startswith(b"$"):
                return reader.read(int(first[1:]))
            return first[1:]


def _options(data: Path, socket_path: Path, pid_file: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(data),
        "pidfile": str(pid_file),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "logfile": "",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-3:]
    return " / ".join(line.strip() for line in lines) or "it said nothing"
