"""A job that a supervisor has started under Landlock, as the runner holds it."""

import contextlib
import json
import os
import select
import subprocess
import time
from types import TracebackType
from typing import IO, Literal, Self

from runner.adapters.sandbox.backend import Death
from runner.adapters.sandbox.evidence import read_evidence
from runner.adapters.sandbox.folder_size import FolderSize
from runner.adapters.sandbox.landlock_view import OWN_FOLDERS
from runner.errors import UnavailableError
from runner.model.sandbox import ConfinedCommand, Evidence

_START_S = 10.0
_END_S = 10.0


class Pipes:
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
        """Closes them all. To the supervisor that means that the runner is gone."""
        for pipe in (self.go, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                pipe.close()
        os.close(self.control)
        os.close(self.status)


class LandlockContained:
    """One job under a supervisor; see ``backend.Contained``."""

    death_proof: Literal["pid-namespace", "subreaper", "none"] = "subreaper"

    def __init__(self, pipes: Pipes, command: ConfinedCommand) -> None:
        """Takes over a supervisor that has just been started."""
        self._pipes = pipes
        self._reported = b""
        self._went = False
        self._closed = False
        self._tree = command.checkout / "tree"
        self._size = FolderSize(command.scratch)
        self.stdout_fd = pipes.stdout.fileno()
        self.stderr_fd = pipes.stderr.fileno()
        self.exit_fd = pipes.status
        artifacts = command.scratch / OWN_FOLDERS["ARTIFACT_DIR"]
        self.outputs_fd = os.open(
            artifacts, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        )
        self.evidence = Evidence(mounts=())

    def take_evidence(self, expected: tuple[str, ...]) -> None:
        """Waits until the prologue has tried every place in ``expected``."""
        try:
            evidence, _ = read_evidence(self.stdout_fd, expected, _START_S)
        except UnavailableError as error:
            raise UnavailableError(
                error.code, f"Landlock didn't start: {self._complaint() or error.args[0]}"
            ) from error
        tree = self._tree.stat()
        told = f"{self._tree} is device {tree.st_dev} inode {tree.st_ino}"
        self.evidence = evidence.model_copy(update={"identity": told})

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
        self._went = True
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
        code = reports.get("exit_code") if self._went else None
        orphans = reports.get("orphans")
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
