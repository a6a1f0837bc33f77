"""Ends the server when nobody uses it any more, however its users ended.

Every user of the server holds a shared lock on ``users.lock``; the kernel frees it when the
process ends, ``kill -9`` included (flock(2)). The guard is a process of its own that waits for
the exclusive lock: it gets it when no user is left, and then ends the server. A child that dies
with its parent (PR_SET_PDEATHSIG) would not do: the server has to outlive the user that happened
to start it while others go on, and that signal follows the thread that started the child.

Run by path with an isolated interpreter (15 ms, in the background): this module needs nothing but
the standard library.
"""

import contextlib
import fcntl
import os
import select
import signal
import socket
import stat
import sys
import time
from pathlib import Path

USERS_LOCK = "users.lock"
SERVER_LOCK = "server.lock"
PID_FILE = "server.pid"

_PATIENCE_S = 5.0


def open_lock(path: Path) -> int:
    """A descriptor to lock ``path`` with; not inherited by children."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def try_lock(fd: int, mode: int) -> bool:
    """Whether the lock could be had at once; if not, a lock held before through ``fd`` is gone."""
    try:
        fcntl.flock(fd, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def running_server(data_root: Path) -> int | None:
    """A descriptor of the server process of ``data_root`` (pidfd_open(2)); null if none runs.

    The server inherits a lock on ``server.lock`` that ends with it. That lock says whether it
    lives; the pid that it wrote says only where to look, and is believed only while the lock is
    held: a number in a file may have become another process.
    """
    lock = open_lock(data_root / SERVER_LOCK)
    try:
        for _ in range(int(_PATIENCE_S / 0.01)):
            pidfd = _open_named(data_root / PID_FILE)
            if try_lock(lock, fcntl.LOCK_EX):
                if pidfd is not None:
                    os.close(pidfd)
                return None
            if pidfd is not None:
                return pidfd
            # just started, by a process that was killed meanwhile: it writes its pid in a moment
            time.sleep(0.01)
        return None
    finally:
        os.close(lock)


def _open_named(pid_file: Path) -> int | None:
    try:
        return os.pidfd_open(int(pid_file.read_text()))
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None


def ended(pidfd: int, timeout_s: float) -> bool:
    """Whether the process ended within ``timeout_s``."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def end_server(pidfd: int, socket_path: Path) -> None:
    """Ends the server, cleanly if it lets itself be, and waits until it is gone.

    ``SHUTDOWN`` writes and syncs the append-only file and answers at once, while SIGTERM is looked
    at ten times a second. With both the server removes its socket by path; where that would follow
    somebody else's link it is killed instead, and loses nothing that it had answered for: that is
    with the kernel by then.
    """
    signals = [signal.SIGKILL]
    if _is_ours(socket_path.parent):
        signals.insert(0, signal.SIGTERM)
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE_S)
            connection.connect(str(socket_path))
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
            if not connection.recv(64) and ended(pidfd, _PATIENCE_S):
                return
    for number in signals:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, number)
        if ended(pidfd, _PATIENCE_S):
            return


def remove_socket(socket_path: Path) -> None:
    """Removes the socket's folder, so that nothing is left in a folder that everybody shares."""
    if _is_ours(socket_path.parent):
        with contextlib.suppress(OSError):
            socket_path.unlink(missing_ok=True)
            socket_path.parent.rmdir()


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can have put anything there.

    A cleaner of ``/tmp`` may have taken the folder away, and its name is then free for others.
    What is ours stays: nobody else can rename or remove it there (the sticky bit, chmod(2)).
    """
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.geteuid()
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def end_when_unused(data_root: Path, socket_path: Path, users: int, guard_lock: int) -> None:
    """Waits until no user is left, then ends whatever server runs.

    Args:
        data_root: Of the server.
        socket_path: Where it listens.
        users: A descriptor of ``users.lock``, not yet locked.
        guard_lock: A descriptor that holds the lock on ``guard.lock``: given up first, so that
            who is let in afterwards finds no guard and starts one.
    """
    fcntl.flock(users, fcntl.LOCK_EX)
    pidfd = running_server(data_root)
    if pidfd is not None:
        end_server(pidfd, socket_path)
        remove_socket(socket_path)
    os.close(guard_lock)


if __name__ == "__main__":
    end_when_unused(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
