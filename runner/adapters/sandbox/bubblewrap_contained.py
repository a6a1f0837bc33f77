"""One job inside bubblewrap, from where its prologue waits to where nothing of it is alive."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from runner.adapters.sandbox import bubblewrap_view
from runner.adapters.sandbox.backend import Death
from runner.adapters.sandbox.evidence import read_evidence
from runner.adapters.sandbox.mounts import mounts_of
from runner.errors import IntegrityError, UnavailableError
from runner.model.sandbox import ConfinedCommand, Evidence, MountEvidence

_START_S = 10.0


class Pipes:
    """The runner's ends of the pipes to one sandbox."""

    def __init__(self, process: subprocess.Popen[bytes], status: int) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.go = process.stdin
        self.stdout = process.stdout
        self.stderr = process.stderr
        self.status = status

    def close(self) -> None:
        """Closes them all."""
        for pipe in (self.go, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                pipe.close()
        os.close(self.status)


class BubblewrapContained:
    """One sandbox made by bubblewrap; see ``backend.Contained``."""

    death_proof: Literal["pid-namespace", "subreaper", "none"] = "pid-namespace"

    def __init__(self, process: subprocess.Popen[bytes], pipes: Pipes) -> None:
        """Takes over a bwrap that has just been started."""
        self._process = process
        self._pipes = pipes
        self._status_text = b""
        self._init_pid: int | None = None
        self._job_pid: int | None = None
        self._job_fd = -1
        self._closed = False
        self.stdout_fd = pipes.stdout.fileno()
        self.stderr_fd = pipes.stderr.fileno()
        self.outputs_fd = -1
        self.exit_fd = -1
        self.evidence = Evidence(mounts=())

    def take_evidence(self, expected: tuple[str, ...], command: ConfinedCommand) -> None:
        """Pins the pid namespace and ``$ARTIFACT_DIR``, and checks the mounts, before ``go``."""
        self._init_pid = self._read_init_pid()
        self.exit_fd = os.pidfd_open(self._init_pid)
        try:
            evidence, _ = read_evidence(self.stdout_fd, expected, _START_S)
            children = Path(f"/proc/{self._init_pid}/task/{self._init_pid}/children")
            self._job_pid = int(children.read_text().split()[0])
            self._job_fd = os.pidfd_open(self._job_pid)
            inside = Path(f"/proc/{self._job_pid}/root")
            self.outputs_fd = os.open(
                f"{inside}{bubblewrap_view.ARTIFACTS}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            )
            mounts = mounts_of(self._job_pid)
            seen = os.stat(f"{inside}{bubblewrap_view.TREE}")
        except (OSError, ValueError, IndexError) as error:
            raise UnavailableError(
                "SANDBOX_UNAVAILABLE", f"bubblewrap didn't start: {self._complaint() or error}"
            ) from error
        except UnavailableError as error:
            raise UnavailableError(
                error.code, f"bubblewrap didn't start: {self._complaint() or error.args[0]}"
            ) from error
        wanted = (command.checkout / "tree").stat()
        if (seen.st_dev, seen.st_ino) != (wanted.st_dev, wanted.st_ino):
            raise IntegrityError(
                "SANDBOX_FAILED", f"{bubblewrap_view.TREE} isn't {command.checkout / 'tree'}"
            )
        self.evidence = Evidence(
            mounts=tuple(_with_mount(one, mounts) for one in evidence.mounts),
            identity=f"{bubblewrap_view.TREE} is device {seen.st_dev} inode {seen.st_ino}",
        )

    def _read_init_pid(self) -> int:
        """The host's pid of the first process in the new pid namespace."""
        deadline = time.monotonic() + _START_S
        while b"\n" not in self._status_text:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._pipes.status], [], [], max(0.0, left))
            piece = os.read(self._pipes.status, 4096) if ready else b""
            if not piece:
                raise UnavailableError(
                    "SANDBOX_UNAVAILABLE",
                    f"bubblewrap didn't start: {self._complaint() or 'no answer'}",
                    remedy="allow unprivileged user namespaces for bwrap; see docs/sandbox.md",
                )
            self._status_text += piece
        return int(json.loads(self._status_text.split(b"\n")[0])["child-pid"])

    def _complaint(self) -> str:
        """What bwrap has written to standard error so far, as one line."""
        os.set_blocking(self.stderr_fd, False)
        with contextlib.suppress(OSError):
            return os.read(self.stderr_fd, 2000).decode(errors="replace").strip()
        return ""

    def go(self) -> None:
        """Lets the job's own code start."""
        for fd in (self.stdout_fd, self.stderr_fd):
            os.set_blocking(fd, False)
        with contextlib.suppress(BrokenPipeError):
            self._pipes.go.write(b"go\n")
            self._pipes.go.close()

    def terminate(self) -> None:
        """Sends SIGTERM to the job's process group, as long as its own process is alive.

        After that its number may be anybody's, and so may be the group that is found by it.
        """
        if self._job_pid is None or select.select([self._job_fd], [], [], 0)[0]:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(os.getpgid(self._job_pid), signal.SIGTERM)

    def kill(self) -> None:
        """Kills the first process of the pid namespace, and the kernel everything in it."""
        if self.exit_fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.exit_fd, signal.SIGKILL)
        else:
            self._process.kill()

    def reap(self, timeout_s: float) -> Death:
        """Waits until the pid namespace is empty: its first process is reaped last of all.

        Source: pid_namespaces(7), *The namespace init process*. bwrap itself returns earlier.
        """
        gone, _, _ = select.select([self.exit_fd], [], [], timeout_s)
        if not gone:
            self.kill()
            gone, _, _ = select.select([self.exit_fd], [], [], timeout_s)
        if not gone:
            return Death(None, None, proven=False, error="the sandbox didn't end when killed")
        self._process.wait()
        while piece := os.read(self._pipes.status, 4096):
            self._status_text += piece
        for line in self._status_text.splitlines():
            if "exit-code" in (report := json.loads(line)):
                return Death(int(report["exit-code"]), None, proven=True)
        killed = 128 - self._process.returncode if self._process.returncode < 0 else 137
        return Death(killed, None, proven=True)

    def output_bytes(self) -> int:
        """0: the sizes of the tmpfs bound it."""
        return 0

    def close(self) -> None:
        """Kills what is left and frees every descriptor. Harmless when done twice."""
        if self._closed:
            return
        self._closed = True
        self.kill()
        if self.exit_fd >= 0:
            select.select([self.exit_fd], [], [], _START_S)
            os.close(self.exit_fd)
        for fd in (self.outputs_fd, self._job_fd):
            if fd >= 0:
                os.close(fd)
        self._pipes.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _with_mount(seen: MountEvidence, mounts: dict[str, tuple[str, str]]) -> MountEvidence:
    """``seen`` with the kernel's account of the mount that holds its path.

    Raises:
        IntegrityError: ``SANDBOX_FAILED``: the kernel doesn't say ``ro``.
    """
    holder = max(
        (point for point in mounts if f"{seen.path}/".startswith(f"{point.rstrip('/')}/")),
        key=len,
        default="",
    )
    root, options = mounts.get(holder, ("", ""))
    if "ro" not in options.split(","):
        raise IntegrityError(
            "SANDBOX_FAILED", f"{seen.path} is mounted {options!r}, expected read-only"
        )
    return seen.model_copy(update={"root": root, "options": options})
