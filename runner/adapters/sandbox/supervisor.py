"""The process between the runner and a job confined by Landlock: starts it, outlives it, ends it.

Run as ``python -I -S`` on a copy of this file, with the standard library alone: it is no part of
the package at run time (which is why it is one file), so that it works where the job's uid can't
reach the package. Its one argument is the number of a descriptor that holds its orders as JSON
(see ``landlock.py``).

It adopts every process that the job leaves behind (PR_SET_CHILD_SUBREAPER, prctl(2)), so when
waitpid(2) says ECHILD nothing of the job is alive: that is the proof of death. The job can't harm
it: it is in the parent Landlock domain, where no signal (ABI 6) and no trace from inside arrives.
Before ABI 6 a job of the same uid can kill it; then there is no report, so nothing is proven.

Commands, a byte each, come by the control pipe: ``t`` (SIGTERM to all of the job), ``k`` (SIGKILL);
its end means that the runner is gone. Reports, a JSON object a line, leave by the status pipe:
``{"exit_code": n}`` when the job's own process has ended, ``{"orphans": n}`` when nothing is left.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import stat
import sys

TYPE_CHECKING = False  # as typing's, whose import takes as long as starting the job does
if TYPE_CHECKING:
    from typing import Any, NoReturn

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_SECCOMP_MODE_FILTER = 2
_LANDLOCK_RESTRICT_SELF = 446
_CLONE_NEWNS = 0x20000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 1 << 12, 1 << 14, 1 << 18
_LOOK_AGAIN_MS = 50
_NOT_CONFINED = 99

_libc = ctypes.CDLL(None, use_errno=True)


def _check(answer: int, what: str) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _prctl(option: int, argument: int, address: Any = None) -> None:
    _check(
        _libc.prctl(
            ctypes.c_int(option), ctypes.c_ulong(argument), address, ctypes.c_ulong(), None
        ),
        f"prctl {option}",
    )


def _enter_domain(ruleset: int) -> None:
    """Restricts this thread, and what it will start, for ever (landlock_restrict_self(2))."""
    numbers = (_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    _check(_libc.syscall(*(ctypes.c_long(n) for n in numbers)), "landlock_restrict_self")


def _filter_calls(program: bytes) -> None:
    """Loads a seccomp filter: ``struct sock_fprog`` is a count and a pointer (seccomp(2))."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    fprog = Program(len(program) // 8, program)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(fprog))


def _drop(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _open_ways(closed: list[dict[str, Any]]) -> None:
    """Puts an open folder, with only what is needed below it, over each closed one.

    In a mount namespace of this process's own: nobody else sees it, and the job keeps its paths.
    Source: mount_namespaces(7), mount(2).
    """
    _check(_libc.unshare(_CLONE_NEWNS), "a mount namespace for what the job's uid can't reach")
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    for one in closed:
        needed = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in one["needed"]]
        _mount("aiops", one["folder"], "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=1m")
        for path, fd in sorted(needed):
            if os.path.exists(path):  # another needed folder holds it already
                continue
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                os.mkdir(path, 0o755)
            else:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            _mount(f"/proc/self/fd/{fd}", path, None, _MS_BIND)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    answer = _libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(data))
    _check(answer, f"mounting at {target}")


def _start_job(orders: dict[str, Any]) -> int:
    """The pid of a process that confines itself and becomes the prologue."""
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become_job(orders, supervisor)
        except BaseException as error:  # whatever it is, this process must not go on as another
            os.write(2, f"the job couldn't be confined: {error}\n".encode(errors="replace"))
        finally:
            os._exit(_NOT_CONFINED)
    return pid


def _become_job(orders: dict[str, Any], supervisor: int) -> NoReturn:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        with contextlib.suppress(OSError):  # SIGKILL, SIGSTOP, and two that libc keeps for itself
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if orders["uid"] is not None and os.getuid() != orders["uid"]:
        _drop(orders["uid"])
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:  # it died before that call
        os._exit(_NOT_CONFINED)
    os.umask(0o022)
    os.chdir(orders["cwd"])
    _enter_domain(orders["ruleset_fd"])
    os.closerange(3, 0x7FFFFFFF)
    _filter_calls(bytes.fromhex(orders["filter"]))
    argv = orders["argv"]
    os.execve(argv[0], argv, dict(orders["env"]))  # noqa: S606  (no shell is wanted)


class _Supervisor:
    """Waits for the job and for commands, and ends when nothing of the job is left."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._orders = orders
        self._scoped = False
        self._job = 0
        self._killing = False
        self._killed = 0
        self._woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        self._poller = select.poll()
        self._poller.register(self._woken, select.POLLIN)

    def confine_itself(self) -> None:
        """Gives up every right that it doesn't need; from now on it falls with the runner."""
        if self._orders["closed"]:
            _open_ways(self._orders["closed"])
        scope, uid = self._orders["scope_fd"], self._orders["uid"]
        if uid is not None and scope is not None:
            _drop(uid)  # without a scope it stays root: the job, of the same uid, could kill it
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        # SIGTERM and not SIGKILL, since nobody else would find what this process leaves behind
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if scope is not None:
            _enter_domain(scope)
            self._scoped = not self._can_signal_runner()
        _prctl(_PR_SET_DUMPABLE, 0)

    def run(self) -> None:
        """Starts the job, obeys until it has ended, ends what it left behind; reports both."""
        self._job = _start_job(self._orders)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)  # the job alone holds its pipes, so that their end is its end
        code = os.waitstatus_to_exitcode(self._await())
        self._report(exit_code=code if code >= 0 else 128 - code)
        self._report(orphans=self._sweep())

    def _await(self) -> int:
        """The wait status of the job's own process."""
        control = self._orders["control_fd"]
        self._poller.register(control, select.POLLIN)
        while (status := self._reap().get(self._job)) is None:
            if self._runner_is_gone():
                self._signal_all(signal.SIGKILL)
            for fd, _ in self._poller.poll():
                if fd == control:
                    command = os.read(control, 1)
                    self._signal_all(signal.SIGTERM if command == b"t" else signal.SIGKILL)
                    if not command:
                        self._poller.unregister(control)
            self._forget_wakeups()
        with contextlib.suppress(KeyError):
            self._poller.unregister(control)
        return status

    def _sweep(self) -> int:
        """Kills until nothing is left; how many died of it, at once with the job or after it."""
        while True:
            self._signal_all(signal.SIGKILL)
            try:
                ended = self._reap()
            except ChildProcessError:
                return self._killed
            if not ended:
                self._poller.poll(_LOOK_AGAIN_MS)
                self._forget_wakeups()

    def _reap(self) -> dict[int, int]:
        """Pid → wait status of every child that has ended since it was last asked.

        Raises:
            ChildProcessError: there was none, and none is alive.
        """
        found: dict[int, int] = {}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                if found:
                    return found
                raise
            if pid == 0:
                return found
            found[pid] = status
            if self._killing and pid != self._job and _died_of(status, signal.SIGKILL):
                self._killed += 1

    def _forget_wakeups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)

    def _signal_all(self, number: signal.Signals) -> None:
        """Sends ``number`` to every process of the job, at whatever speed it forks."""
        self._killing |= number == signal.SIGKILL
        if not self._scoped:
            _signal_descendants(number)
            return
        # The kernel holds off forks meanwhile (kill(2), tasklist_lock), skips this process, and
        # the scope makes "everybody" mean the processes that this one started.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, number)

    def _can_signal_runner(self) -> bool:
        """Whether a signal could leave the scope: then "everybody" must never be signalled."""
        try:
            os.kill(self._orders["runner"], 0)
        except PermissionError:
            return False
        except ProcessLookupError:
            pass
        return True

    def _runner_is_gone(self) -> bool:
        # PR_SET_PDEATHSIG follows the thread that started this process, which may end alone
        return os.getppid() != int(self._orders["runner"])

    def _report(self, **fields: int) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._orders["status_fd"], json.dumps(fields).encode() + b"\n")


def _died_of(status: int, number: signal.Signals) -> bool:
    return os.waitstatus_to_exitcode(status) == -number


def _signal_descendants(number: signal.Signals) -> None:
    """Signals all descendants without a scope; stops them all before it kills, so that none forks."""
    if number == signal.SIGKILL:
        stopped: set[tuple[int, str]] = set()
        while fresh := _descendants() - stopped:
            for pid, started in fresh:
                _signal_one(pid, started, signal.SIGSTOP)
            stopped |= fresh
    for pid, started in _descendants():
        _signal_one(pid, started, number)


def _descendants() -> set[tuple[int, str]]:
    """Pid and start time of every process below this one."""
    below: dict[int, list[tuple[int, str]]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := _parent_and_start(int(name))):
            below.setdefault(found[0], []).append((int(name), found[1]))
    descendants: set[tuple[int, str]] = set()
    queue = [os.getpid()]
    while queue:
        children = below.get(queue.pop(), [])
        descendants.update(children)
        queue.extend(pid for pid, _ in children)
    return descendants


def _parent_and_start(pid: int) -> tuple[int, str] | None:
    """Fields 4 and 22 of its stat file (proc(5)); null if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[1]), fields[19].decode()


def _signal_one(pid: int, started: str, number: signal.Signals) -> None:
    """Signals the process that had this pid and start time, never one that inherited the pid."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        found = _parent_and_start(pid)
        if found and found[1] == started:
            signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def main() -> None:
    """Reads the orders and follows them."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        orders = json.load(file)
    supervisor = _Supervisor(orders)
    supervisor.confine_itself()
    supervisor.run()
    os._exit(0)  # tidying up a whole interpreter would only keep the runner waiting


if __name__ == "__main__":
    main()
