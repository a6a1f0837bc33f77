"""No confinement at all: only where the operator names it, and every record shows it.

For machines whose kernel offers nothing, and for showing that the probe's attacks really work
where nothing stops them.
"""

import contextlib
import os
import select
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from runner.adapters.sandbox.backend import Death, resolve_argv
from runner.model.sandbox import ConfinedCommand, Evidence

_WAIT_FOR_GO = 'read -r answer && [ "$answer" = go ] && exec "$@" </dev/null'


class UnconfinedBackend:
    """Runs jobs as ordinary processes. Level 0."""

    name = "none"

    def __init__(self, *, job_uid: int | None) -> None:
        """Takes the uid to drop to (null: stay who we are)."""
        self._job_uid = job_uid

    def version(self) -> str:
        """There is nothing to have a version."""
        return ""

    def binary_sha256(self) -> str | None:
        """There is no program."""
        return None

    def start(self, command: ConfinedCommand) -> "UnconfinedContained":
        """Starts ``command`` up to where it waits for ``go``."""
        folders = {
            "ARTIFACT_DIR": command.scratch / "artifacts",
            "TMPDIR": command.scratch / "tmp",
            "HOME": command.scratch / "home",
        }
        for folder in folders.values():
            folder.mkdir(mode=0o700)
            if self._job_uid is not None:
                os.chown(folder, self._job_uid, self._job_uid)
        params = folders["ARTIFACT_DIR"] / "params.json"
        params.write_bytes(command.params_json)
        process = subprocess.Popen(
            (
                "/bin/sh",
                "-c",
                _WAIT_FOR_GO,
                "sh",
                *resolve_argv(command.argv, str(command.wrappers)),
            ),
            env={
                **dict(command.env),
                **{name: str(folder) for name, folder in folders.items()},
                "AIOPS_WRAPPERS": str(command.wrappers),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.checkout / "tree",
            start_new_session=True,
            bufsize=0,
            user=self._job_uid,
            group=self._job_uid,
            extra_groups=None if self._job_uid is None else [],
        )
        return UnconfinedContained(process, folders["ARTIFACT_DIR"])


class UnconfinedContained:
    """One job that nothing contains; see ``backend.Contained``."""

    death_proof: Literal["pid-namespace", "subreaper", "none"] = "none"

    def __init__(self, process: subprocess.Popen[bytes], outputs: Path) -> None:
        """Takes over a process that waits."""
        assert process.stdin and process.stdout and process.stderr
        self._process = process
        self._go = process.stdin
        self._pipes = (process.stdout, process.stderr)
        self.stdout_fd, self.stderr_fd = (pipe.fileno() for pipe in self._pipes)
        self.outputs_fd = os.open(outputs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.exit_fd = os.pidfd_open(process.pid)
        self.evidence = Evidence(mounts=())

    def go(self) -> None:
        """Lets the job's own code start."""
        for fd in (self.stdout_fd, self.stderr_fd):
            os.set_blocking(fd, False)
        with contextlib.suppress(BrokenPipeError):
            self._go.write(b"go\n")
            self._go.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM to the job's first process group; who left it isn't reached."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kills the job's first process group; who left it isn't reached."""
        self._signal(signal.SIGKILL)

    def reap(self, timeout_s: float) -> Death:
        """Waits for the first process. Nothing shows that the others are dead."""
        if not select.select([self.exit_fd], [], [], timeout_s)[0]:
            self.kill()
        code = self._process.wait()
        self.kill()
        return Death(128 - code if code < 0 else code, None, proven=False)

    def output_bytes(self) -> int:
        """0: nothing is bounded here."""
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._process.wait()
        for pipe in (self._go, *self._pipes):
            with contextlib.suppress(OSError):
                pipe.close()
        os.close(self.exit_fd)
        os.close(self.outputs_fd)
