"""Starts jobs under the Landlock backend alone, on a small made-up checkout."""

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import runner.adapters.sandbox
from runner.adapters.sandbox.landlock import LandlockBackend
from runner.adapters.sandbox.landlock_abi import NEWEST
from runner.adapters.sandbox.landlock_contained import LandlockContained
from runner.adapters.sandbox.supervise import supervise
from runner.model.catalog import Limits
from runner.model.sandbox import Bind, ConfinedCommand, ProcessExit

JOB_UID = 64999 if os.getuid() == 0 else None
PYTHON = Path("/usr/bin/python3")
PROLOGUE = Path(runner.adapters.sandbox.__file__).with_name("prologue.sh")
ENV = (("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("GIT_CONFIG_NOSYSTEM", "1"))


def backend(*, prologue: Path = PROLOGUE, newest_abi: int = NEWEST) -> LandlockBackend:
    """The backend as the runner uses it here: as root with another uid."""
    return LandlockBackend(prologue=prologue, job_uid=JOB_UID, python=PYTHON, newest_abi=newest_abi)


@dataclass
class Stage:
    """A folder with everything that a job needs; below it ``secret``, which it doesn't."""

    folder: Path
    made: int = field(default=0)

    def __post_init__(self) -> None:
        for name in ("entry/tree/below", "entry/git", "objects", "wrappers"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "entry/tree/file").write_text("content")
        (self.folder / "entry/git/HEAD").write_text("0" * 40)
        (self.folder / "wrappers/hello").write_text("#!/bin/sh\necho hello from $0\n")
        (self.folder / "wrappers/hello").chmod(0o755)
        (self.folder / "secret").write_text("key")

    def command(
        self,
        *argv: str,
        limits: Limits | None = None,
        binds: tuple[Bind, ...] = (),
        env: tuple[tuple[str, str], ...] = (),
    ) -> ConfinedCommand:
        """A command with a scratch folder of its own."""
        self.made += 1
        scratch = self.folder / f"scratch-{self.made}"
        scratch.mkdir(mode=0o711)
        return ConfinedCommand(
            job_id="job",
            argv=argv,
            env=(*ENV, *env),
            checkout=self.folder / "entry",
            objects=self.folder / "objects",
            wrappers=self.folder / "wrappers",
            binds=binds,
            limits=limits or Limits(processes=64),
            scratch=scratch,
            params_json=b'{"key": "value"}',
        )

    def shell(self, script: str, *, limits: Limits | None = None) -> ConfinedCommand:
        """A command that runs ``script`` in bash."""
        return self.command("/bin/bash", "-c", script, limits=limits)

    def python(self, code: str, *arguments: str) -> ConfinedCommand:
        """A command that runs ``code`` in Python."""
        return self.command(str(PYTHON), "-I", "-S", "-c", code, *arguments)


@dataclass(frozen=True)
class Ended:
    """How a job ended, and what it said."""

    exit: ProcessExit
    stdout: str
    stderr: str


def run_to_end(
    contained: LandlockContained, *, timeout_s: float = 30.0, grace_s: float = 0.2
) -> Ended:
    """Lets the job run, and waits until nothing of it is alive."""
    out, err = bytearray(), bytearray()
    end = supervise(
        contained,
        stdout=out.extend,
        stderr=err.extend,
        timeout_s=timeout_s,
        grace_s=grace_s,
        output_limit_bytes=1 << 40,
        should_stop=lambda: None,
    )
    return Ended(end, out.decode(errors="replace"), err.decode(errors="replace"))


def run(command: ConfinedCommand, *, newest_abi: int = NEWEST, timeout_s: float = 30.0) -> Ended:
    """Starts ``command`` and runs it to its end."""
    with backend(newest_abi=newest_abi).start(command) as contained:
        return run_to_end(contained, timeout_s=timeout_s)


def alive_with(mark: str) -> list[str]:
    """Command lines of living processes on this host that have ``mark`` in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark.encode() in (process / "environ").read_bytes():
                found.append(shlex.quote((process / "cmdline").read_text().replace("\0", " ")))
        except OSError:
            continue
    return found
