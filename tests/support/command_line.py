"""The program as a person starts it: a process of its own, in an installation of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.workshop import Workshop

ROOT = Path(__file__).parents[2]
NOTHING: Mapping[str, str] = {}
_PATIENCE_S = 60


@dataclass(frozen=True)
class Ended:
    """What a command answered."""

    exit_code: int
    stdout: str
    stderr: str


class CommandLine:
    """Runs commands on a workshop's installation, with nobody else's environment."""

    def __init__(self, shop: Workshop) -> None:
        self.shop = shop
        home, runtime = shop.folder / "home", shop.folder / "runtime"
        for folder in (home, runtime):
            folder.mkdir(mode=0o700)
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            **shop.environment,
        }

    def argv(self, *arguments: str) -> list[str]:
        """How ``runner arguments`` is started."""
        return [sys.executable, "-m", "runner", *arguments]

    def __call__(
        self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] = NOTHING
    ) -> Ended:
        """Runs ``runner arguments`` to its end, with ``env`` added to the environment."""
        done = subprocess.run(
            self.argv(*arguments),
            cwd=cwd or self.shop.folder,
            env={**self.environment, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def job(self, job_type: str, *options: str) -> tuple[str, ...]:
        """The arguments of ``runner run`` on the workshop's own repository."""
        return ("run", job_type, "--repo", str(self.shop.repo), *options)

    def run(self, job_type: str, *options: str, env: Mapping[str, str] = NOTHING) -> Ended:
        """``runner run`` on the workshop's own repository."""
        return self(*self.job(job_type, *options), env=env)

    @contextmanager
    def started(
        self,
        argv: Sequence[str],
        *,
        stdout: int = subprocess.PIPE,
        env: Mapping[str, str] = NOTHING,
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A command that is still running, in a session of its own as on a terminal.

        Killed, with everything that it started, when the block is left.
        """
        process = subprocess.Popen(
            argv,
            cwd=self.shop.folder,
            env={**self.environment, **env},
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(_PATIENCE_S)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def ended(process: "subprocess.Popen[bytes]") -> Ended:
    """Waits for the end of a started command."""
    out, err = process.communicate(timeout=_PATIENCE_S)
    return Ended(process.returncode, out.decode(), err.decode())


def halted_at(step: str, *arguments: str) -> list[str]:
    """``runner arguments`` as a command that halts before ``step`` (see ``paused_runner``)."""
    program = [sys.executable, "-m", "tests.support.paused_runner"]
    return [*program, *step.split(), "--", *arguments]


def wait_for_line(
    process: "subprocess.Popen[bytes]", stream: str, line: str, *, within: bool = False
) -> None:
    """Reads lines of a started command until ``line`` comes, or one that holds it."""
    pipe = process.stdout if stream == "stdout" else process.stderr
    assert pipe is not None
    seen = []
    for raw in pipe:
        seen.append(raw.decode(errors="replace"))
        if seen[-1].rstrip("\n") == line or (within and line in seen[-1]):
            return
    raise AssertionError(f"{line!r} never came; {stream}: {''.join(seen)}")
