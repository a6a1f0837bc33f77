"""The backend for machines without namespaces: Landlock with seccomp.

Needs neither root nor a helper program, only a kernel with Landlock. What it refuses depends on
the kernel's ABI (``landlock_abi.py``), so the probe has the last word on its level. Three
processes: the runner starts a supervisor (``supervisor.py``), which starts the job.
"""

import base64
import contextlib
import json
import os
import platform
import resource
import select
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from runner.adapters.sandbox import landlock_view
from runner.adapters.sandbox.backend import Death, prologue_limits, resolve_argv
from runner.adapters.sandbox.evidence import read_evidence
from runner.adapters.sandbox.folder_size import FolderSize
from runner.adapters.sandbox.landlock_abi import (
    NEWEST,
    abi_version,
    make_ruleset,
    make_signal_scope,
)
from runner.adapters.sandbox.seccomp import filter_for
from runner.errors import UnavailableError
from runner.model.sandbox import ConfinedCommand, Evidence

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_START_S = 10.0
_END_S = 10.0


class LandlockBackend:
    """Confines with Landlock, a seccomp filter and, for a runner that is root, another uid."""

    name = "landlock"

    def __init__(
        self, *, prologue: Path, job_uid: int | None, python: Path, newest_abi: int = NEWEST
    ) -> None:
        """Takes our prologue, the uid to drop to, and the interpreter of the supervisor.

        Args:
            prologue: ``prologue.sh``.
            job_uid: Under whom jobs run; null to stay who we are.
            python: An absolute path that this process may execute.
            newest_abi: To do as on an older kernel.
        """
        self._prologue = prologue
        self._job_uid = job_uid
        self._python = python
        self._newest_abi = newest_abi

    def version(self) -> str:
        """The ABI in use and the kernel's release.

        Raises:
            UnavailableError: ``SANDBOX_UNAVAILABLE``: the kernel has no Landlock.
        """
        return f"Landlock ABI {self._abi()}, Linux {platform.release()}"

    def binary_sha256(self) -> str | None:
        """Null: the kernel does it alone."""
        return None

    def _abi(self) -> int:
        return min(abi_version(), self._newest_abi)

    def start(self, command: ConfinedCommand) -> "LandlockContained":
        """Starts ``command`` up to where its prologue waits for ``go``.

        The job is killed if the thread that calls this outlives neither it nor the process.

        Raises:
            UnavailableError: ``SANDBOX_UNAVAILABLE``: the kernel lacks Landlock or seccomp, or
                the job's uid can't reach what it needs.
            IntegrityError: ``SANDBOX_FAILED``: a place could be written to.
            BugError: ``BIND_MOVED``: a bind has another place inside than outside.
        """
        abi = self._abi()
        places = landlock_view.read_only(command)
        self._make_own_folders(command)
        with contextlib.ExitStack() as lent:
            ruleset = make_ruleset(landlock_view.rules(command, self._prologue), abi)
            lent.callback(os.close, ruleset)
            scope = make_signal_scope(abi)
            if scope is not None:
                lent.callback(os.close, scope)
            orders = {
                "runner": os.getpid(),
                "uid": self._job_uid,
                "scope_fd": scope,
                "ruleset_fd": ruleset,
                "filter": base64.b64encode(self._filter(abi)).decode("ascii"),
                "cwd": str(command.checkout / "tree"),
                "argv": self._argv(command, tuple(str(place) for place in places)),
                "env": _environment(command),
            }
            contained = LandlockContained(self._spawn(orders, lent), command)
        try:
            contained.take_evidence(tuple(str(place) for place in places))
        except BaseException:
            contained.close()
            raise
        return contained

    def _filter(self, abi: int) -> bytes:
        # Another uid than the owner's is refused metadata changes by the file system itself.
        return filter_for("landlock", deny_metadata=self._job_uid is None, deny_truncate=abi < 3)

    def _make_own_folders(self, command: ConfinedCommand) -> None:
        for name in landlock_view.OWN_FOLDERS.values():
            folder = command.scratch / name
            folder.mkdir(mode=0o700)
            if name == landlock_view.OWN_FOLDERS["ARTIFACT_DIR"]:
                params = folder / "params.json"
                params.write_bytes(command.params_json)
                self._give(params)
            self._give(folder)

    def _give(self, path: Path) -> None:
        if self._job_uid is not None:
            os.chown(path, self._job_uid, self._job_uid)

    def _argv(self, command: ConfinedCommand, read_only: tuple[str, ...]) -> tuple[str, ...]:
        uid = os.getuid() if self._job_uid is None else self._job_uid
        # RLIMIT_NPROC counts all threads of a uid, wherever they came from (getrlimit(2))
        limits = prologue_limits(
            command.limits, processes=threads_of(uid) + command.limits.processes
        )
        job = resolve_argv(command.argv, str(command.wrappers))
        return ("/bin/sh", str(self._prologue), *_attainable(limits), *read_only, "--", *job)

    def _spawn(self, orders: dict[str, object], lent: contextlib.ExitStack) -> "_Pipes":
        """Starts the supervisor; descriptors that only it needs are closed when ``lent`` ends."""
        control_read, control_write = os.pipe()
        lent.callback(os.close, control_read)
        status_read, status_write = os.pipe()
        lent.callback(os.close, status_write)
        orders |= {"control_fd": control_read, "status_fd": status_write}
        code = _memory_file(_SUPERVISOR.read_bytes(), lent)
        told = _memory_file(json.dumps(orders).encode(), lent)
        passed = [code, told, control_read, status_write]
        passed += [fd for key in ("scope_fd", "ruleset_fd") if isinstance(fd := orders[key], int)]
        try:
            process = subprocess.Popen(
                (str(self._python), "-I", "-S", f"/proc/self/fd/{code}", str(told)),
                env={},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=passed,
                cwd="/",
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            os.close(control_write)
            os.close(status_read)
            raise UnavailableError(
                "SANDBOX_UNAVAILABLE", f"the supervisor couldn't be started: {error}"
            ) from error
        return _Pipes(process, control_write, status_read)


class _Pipes:
    """The supervisor, and the runner's ends of the pipes to it and to the job."""

    def __init__(self, process: subprocess.Popen[bytes], control: int, status: int) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.process = process
        self.go: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout
        self.stderr: IO[bytes] = process.stderr
        self.control = control
        self.status = status

    def close(self) -> None:
        for pipe in (self.go, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                pipe.close()
        os.close(self.control)
        os.close(self.status)


class LandlockContained:
    """One job under a supervisor; see ``backend.Contained``."""

    death_proof: Literal["pid-namespace", "subreaper", "none"] = "subreaper"

    def __init__(self, pipes: _Pipes, command: ConfinedCommand) -> None:
        """Takes over a supervisor that has just been started."""
        self._pipes = pipes
        self._reported = b""
        self._closed = False
        self._size = FolderSize(command.scratch)
        self.stdout_fd = pipes.stdout.fileno()
        self.stderr_fd = pipes.stderr.fileno()
        self.exit_fd = pipes.status
        artifacts = command.scratch / landlock_view.OWN_FOLDERS["ARTIFACT_DIR"]
        self.outputs_fd = os.open(
            artifacts, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        )
        self.evidence = Evidence(mounts=())

    def take_evidence(self, expected: tuple[str, ...]) -> None:
        """Waits until the prologue has tried every place in ``expected``."""
        try:
            self.evidence, _ = read_evidence(self.stdout_fd, expected, _START_S)
        except UnavailableError as error:
            raise UnavailableError(
                error.code, f"Landlock didn't start: {self._complaint() or error.args[0]}"
            ) from error

    def _complaint(self) -> str:
        """What the supervisor or the prologue has written to standard error, as one line."""
        os.set_blocking(self.stderr_fd, False)
        with contextlib.suppress(OSError):
            said = os.read(self.stderr_fd, 4000).decode(errors="replace").strip()
            return said.rpartition("\n")[2]
        return ""

    def go(self) -> None:
        """Lets the job's own code start."""
        for fd in (self.stdout_fd, self.stderr_fd):
            os.set_blocking(fd, False)
        with contextlib.suppress(BrokenPipeError):
            self._pipes.go.write(b"go\n")
            self._pipes.go.close()

    def terminate(self) -> None:
        """Sends SIGTERM to every process of the job."""
        self._command(b"t")

    def kill(self) -> None:
        """Sends SIGKILL to every process of the job."""
        self._command(b"k")

    def _command(self, letter: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipes.control, letter)

    def reap(self, timeout_s: float) -> Death:
        """Waits for the supervisor's word that it has no child left (waitpid(2), ECHILD)."""
        reports = self._reports(timeout_s)
        if reports is None:
            self.kill()
            reports = self._reports(timeout_s)
        if reports is None:
            return Death(None, None, proven=False, error="the job didn't end when killed")
        self._pipes.process.wait()
        code, orphans = reports.get("exit_code"), reports.get("orphans")
        if orphans is None:
            return Death(code, None, proven=False, error="the supervisor died before the job")
        return Death(code, orphans, proven=True)

    def _reports(self, timeout_s: float) -> dict[str, int] | None:
        """All that the supervisor said until it ended; null if it hasn't yet."""
        deadline = time.monotonic() + timeout_s
        while True:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self.exit_fd], [], [], left)[0]:
                return None
            piece = os.read(self.exit_fd, 4096)
            self._reported += piece
            if not piece:
                reports: dict[str, int] = {}
                for line in self._reported.splitlines():
                    reports |= json.loads(line)
                return reports

    def output_bytes(self) -> int:
        """What lies on the disk in the job's own folders."""
        return self._size.measure(time.monotonic())

    def close(self) -> None:
        """Kills what is left and frees every descriptor. Harmless when done twice."""
        if self._closed:
            return
        self._closed = True
        self.kill()
        if self._reports(_END_S) is None:
            self._pipes.process.kill()
        self._pipes.close()
        os.close(self.outputs_fd)
        self._pipes.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def threads_of(uid: int) -> int:
    """How many threads ``uid`` has on this machine now."""
    count = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if process.stat().st_uid == uid:
                    count += len(os.listdir(process / "task"))
    return count


def _attainable(limits: tuple[str, ...]) -> tuple[str, ...]:
    """``limits`` where the runner's own hard limits allow as much, else those (setrlimit(2))."""
    kinds = (
        (resource.RLIMIT_CPU, 1),
        (resource.RLIMIT_DATA, 1024),
        (resource.RLIMIT_FSIZE, 512),
        (resource.RLIMIT_NOFILE, 1),
        (resource.RLIMIT_NPROC, 1),
    )
    attainable = []
    for asked, (kind, unit) in zip(limits, kinds, strict=True):
        _, hard = resource.getrlimit(kind)
        low = asked if hard == resource.RLIM_INFINITY else str(min(int(asked), hard // unit))
        attainable.append(low)
    return tuple(attainable)


def _environment(command: ConfinedCommand) -> tuple[tuple[str, str], ...]:
    own = ((name, str(command.scratch / it)) for name, it in landlock_view.OWN_FOLDERS.items())
    return (*command.env, *own, ("AIOPS_WRAPPERS", str(command.wrappers)))


def _memory_file(content: bytes, lent: contextlib.ExitStack) -> int:
    """Descriptor of an unnamed file; readable by the job's uid too, unlike a file of ours."""
    fd = os.memfd_create("aiops-supervisor")
    lent.callback(os.close, fd)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
