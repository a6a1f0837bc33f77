"""The strongest backend: namespaces and read-only mounts, made by bubblewrap.

Never runs as uid 0: a root runner starts it under the job's uid, since uid 0 inside can open
files of ``/proc/sys`` for writing. Never starts from a thread that ends before the job:
``--die-with-parent`` follows the thread (prctl(2), PR_SET_PDEATHSIG). A setuid bubblewrap is
refused: it would act with more rights than this program has.
"""

import contextlib
import functools
import hashlib
import os
import stat
import subprocess
from pathlib import Path

from runner.adapters.sandbox import bubblewrap_view, staging
from runner.adapters.sandbox.backend import give_pipes, probe_name, prologue_limits
from runner.adapters.sandbox.bubblewrap_contained import BubblewrapContained, Pipes
from runner.adapters.sandbox.seccomp import filter_for
from runner.errors import UnavailableError
from runner.model.sandbox import ConfinedCommand

_NAMESPACES = (
    "--unshare-user",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup",
)


class BubblewrapBackend:
    """Confines with ``bwrap``: mount, pid, net, ipc, uts, user and cgroup namespaces, seccomp."""

    name = "bubblewrap"

    def __init__(self, *, binary: Path, prologue: Path, job_uid: int | None) -> None:
        """Takes the program, our prologue, and the uid to drop to (null: stay who we are)."""
        self._binary = binary
        self._prologue = prologue
        self._job_uid = job_uid
        self._system = bubblewrap_view.system_binds()

    @functools.cache  # noqa: B019  (one backend a process, for as long as the process lives)
    def version(self) -> str:
        """What ``bwrap --version`` says.

        Raises:
            UnavailableError: ``SANDBOX_UNAVAILABLE``: it isn't there, or is setuid.
        """
        self._refuse_unfit_program()
        done = subprocess.run(
            [self._binary, "--version"], capture_output=True, text=True, check=False, env={}
        )
        return done.stdout.strip()

    @functools.cache  # noqa: B019  (likewise)
    def binary_sha256(self) -> str | None:
        """sha256 of the ``bwrap`` binary."""
        return hashlib.sha256(self._binary.read_bytes()).hexdigest()

    @functools.cached_property
    def _seccomp(self) -> bytes:
        return filter_for("mounts", deny_metadata=False)

    def start(self, command: ConfinedCommand) -> BubblewrapContained:
        """Starts ``command`` up to where its prologue waits for ``go``.

        Raises:
            UnavailableError: ``SANDBOX_UNAVAILABLE``: bwrap couldn't make the namespaces.
            IntegrityError: ``SANDBOX_FAILED``: a place could be written to, or a mount isn't
                what was asked for.
        """
        self._refuse_unfit_program()
        uid = os.getuid() if self._job_uid is None else self._job_uid
        view = bubblewrap_view.view(command, system=self._system, prologue=self._prologue, uid=uid)
        limits = prologue_limits(command.limits, processes=command.limits.processes)
        payload = (
            "/bin/sh",
            bubblewrap_view.PROLOGUE,
            *limits,
            probe_name(),
            *view.read_only,
            "--",
            *bubblewrap_view.job_argv(command),
        )
        with contextlib.ExitStack() as ours:
            process, pipes = self._spawn(view, payload, ours)
        contained = BubblewrapContained(process, pipes)
        try:
            contained.take_evidence(view.read_only, command)
        except BaseException:
            contained.close()
            raise
        return contained

    def _refuse_unfit_program(self) -> None:
        try:
            mode = self._binary.stat().st_mode
        except OSError as error:
            raise UnavailableError(
                "SANDBOX_UNAVAILABLE",
                f"{self._binary}: {error.strerror}",
                remedy="apt-get install bubblewrap",
            ) from error
        if mode & stat.S_ISUID:
            raise UnavailableError(
                "SANDBOX_UNAVAILABLE",
                f"{self._binary} is setuid root",
                remedy=f"chmod u-s {self._binary}, and allow unprivileged user namespaces",
            )

    def _spawn(
        self, view: bubblewrap_view.View, payload: tuple[str, ...], ours: contextlib.ExitStack
    ) -> tuple[subprocess.Popen[bytes], Pipes]:
        """Starts bwrap; descriptors that only it needs are closed here when ``ours`` ends."""

        def lend(content: bytes) -> int:
            fd = os.memfd_create("aiops-sandbox")
            ours.callback(os.close, fd)
            os.write(fd, content)
            os.lseek(fd, 0, os.SEEK_SET)
            return fd

        data = [lend(content) for content in view.data]
        seccomp = lend(self._seccomp)
        status_read, status_write = os.pipe()
        ours.callback(os.close, status_write)
        arguments = tuple(
            argument if isinstance(argument, str) else str(data[argument.number])
            for argument in view.arguments
        )
        confine = (*_NAMESPACES, "--die-with-parent", "--new-session", "--hostname", "job")
        descriptors = ("--json-status-fd", str(status_write), "--seccomp", str(seccomp))
        bwrap = (str(self._binary), *confine, *descriptors, *arguments, *payload)
        argv = staging.stage(bwrap, bubblewrap_view.sources(arguments), self._job_uid)
        drop = self._job_uid is not None and argv is bwrap
        process = subprocess.Popen(
            argv,
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(*data, seccomp, status_write),
            cwd="/",
            bufsize=0,
            # a Ctrl-C in the terminal is for the runner, which ends the job in order
            start_new_session=True,
            user=self._job_uid if drop else None,
            group=self._job_uid if drop else None,
            extra_groups=[] if drop else None,
        )
        give_pipes((process.stdout, process.stderr), self._job_uid)
        return process, Pipes(process, status_read)
