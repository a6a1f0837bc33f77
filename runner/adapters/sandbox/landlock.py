"""The backend for machines without namespaces: Landlock with seccomp.

Needs neither root nor a helper program, only a kernel with Landlock. What it refuses depends on
the kernel's ABI (``landlock_abi.py``), so the probe has the last word on its level. Three
processes: the runner starts a supervisor (``supervisor.py``), which starts the job.
"""

import contextlib
import json
import os
import platform
import subprocess
from pathlib import Path

from runner.adapters.sandbox import landlock_view
from runner.adapters.sandbox.backend import (
    give_pipes,
    probe_name,
    prologue_limits,
    resolve_argv,
)
from runner.adapters.sandbox.landlock_abi import (
    NEWEST,
    abi_version,
    make_ruleset,
    make_signal_scope,
)
from runner.adapters.sandbox.landlock_contained import LandlockContained, Pipes
from runner.adapters.sandbox.reach import closed_folders
from runner.adapters.sandbox.seccomp import filter_for
from runner.errors import UnavailableError
from runner.model.sandbox import ConfinedCommand

_SUPERVISOR = Path(__file__).with_name("supervisor.py")


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

    def start(self, command: ConfinedCommand) -> LandlockContained:
        """Starts ``command`` up to where its prologue waits for ``go``.

        The job is killed when this process ends, but may outlive the thread that calls this.

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
            orders: dict[str, object] = {
                "runner": os.getpid(),
                "uid": self._job_uid,
                "closed": self._closed(command),
                "scope_fd": scope,
                "ruleset_fd": ruleset,
                "filter": self._filter(abi).hex(),
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

    def _closed(self, command: ConfinedCommand) -> list[dict[str, object]]:
        """What the supervisor has to open for the job's uid, in a mount namespace of its own."""
        if self._job_uid is None:
            return []
        given = (command.checkout, command.objects, command.wrappers, self._prologue)
        own = (command.scratch / name for name in landlock_view.OWN_FOLDERS.values())
        needed = (*given, *own, *(bind.source for bind in command.binds))
        return [
            {"folder": str(one.folder), "needed": [str(path) for path in one.needed]}
            for one in closed_folders(needed)
        ]

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
        return ("/bin/sh", str(self._prologue), *limits, probe_name(), *read_only, "--", *job)

    def _spawn(self, orders: dict[str, object], lent: contextlib.ExitStack) -> Pipes:
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
        give_pipes((process.stdout, process.stderr), self._job_uid)
        return Pipes(process, control_write, status_read)


def threads_of(uid: int) -> int:
    """How many threads ``uid`` has on this machine now."""
    count = 0
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if process.stat().st_uid == uid:
                    count += len(os.listdir(process / "task"))
    return count


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
