"""What a backend is, and what it hands out: a started, waiting job."""

import os
import resource
import secrets
from collections.abc import Iterable
from types import TracebackType
from typing import IO, Literal, Protocol, Self

from runner.model.catalog import Limits
from runner.model.sandbox import ConfinedCommand, Evidence

WRAPPERS_PREFIX = "wrappers/"


def resolve_argv(argv: tuple[str, ...], wrappers: str) -> tuple[str, ...]:
    """``argv`` with each ``wrappers/…`` element as a path below ``wrappers``."""
    return tuple(
        f"{wrappers}/{element.removeprefix(WRAPPERS_PREFIX)}"
        if element.startswith(WRAPPERS_PREFIX)
        else element
        for element in argv
    )


def prologue_limits(limits: Limits, *, processes: int) -> tuple[str, ...]:
    """The five leading arguments of ``prologue.sh``, in the units that ``ulimit`` takes.

    RLIMIT_DATA stands for memory: unlike RLIMIT_AS it doesn't count what a program only reserves
    (getrlimit(2)), which some language runtimes do by the terabyte. Where the runner's own hard limits are lower, those hold.
    """
    asked = (
        (resource.RLIMIT_CPU, 1, limits.cpu_s),
        (resource.RLIMIT_DATA, 1024, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, 512, max(limits.output_bytes, limits.tmp_bytes)),
        (resource.RLIMIT_NOFILE, 1, limits.open_files),
        (resource.RLIMIT_NPROC, 1, processes),
    )
    return tuple(str(_attainable(kind, amount) // unit) for kind, unit, amount in asked)


def probe_name() -> str:
    """What the prologue calls the file that it tries to make in a folder; another each time.

    A commit that knew the name could hold a link or a folder of it, and so have a write seen to
    succeed or to be refused, whatever the mount says.
    """
    return f".aiops-write-probe-{secrets.token_hex(8)}"


def _attainable(kind: int, amount: int) -> int:
    """``amount``, or what this process's own hard limit allows if that is less (setrlimit(2))."""
    _, hard = resource.getrlimit(kind)
    return amount if hard == resource.RLIM_INFINITY else min(amount, hard)


def give_pipes(ends: Iterable[IO[bytes] | None], uid: int | None) -> None:
    """Lets ``uid`` open its standard output and error by name: ``/dev/stdout``, ``/dev/stderr``.

    A pipe belongs to who made it, and ``/proc/self/fd`` opens it anew (proc(5)).
    """
    if uid is not None:
        for pipe in ends:
            assert pipe is not None
            os.fchown(pipe.fileno(), uid, uid)


class Contained(Protocol):
    """A sandbox whose prologue has run and whose job hasn't: it waits for ``go``.

    A context manager: leaving it kills whatever is left and frees everything.

    Attributes:
        evidence: Taken inside, before the job's own code.
        stdout_fd: Read end of the job's standard output, non-blocking. Evidence is not in it.
        stderr_fd: Likewise for standard error.
        outputs_fd: Descriptor of the folder that is ``$ARTIFACT_DIR``, valid until exit.
        exit_fd: Becomes readable when the job's own process has ended.
        death_proof: How ``reap`` knows that nothing is alive.
    """

    evidence: Evidence
    stdout_fd: int
    stderr_fd: int
    outputs_fd: int
    exit_fd: int
    death_proof: Literal["pid-namespace", "subreaper", "none"]

    def go(self) -> None:
        """Lets the job's own code start."""

    def terminate(self) -> None:
        """Asks the job's processes to end (SIGTERM)."""

    def kill(self) -> None:
        """Ends every process of the job (SIGKILL)."""

    def reap(self, timeout_s: float) -> "Death":
        """Waits until nothing of the job is alive; kills what is left over first."""

    def output_bytes(self) -> int:
        """How much the job has written to ``$ARTIFACT_DIR`` and its other private folders.

        0 for backends where the kernel bounds it.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Death:
    """What is known after everything of a job is dead.

    Attributes:
        exit_code: As a shell reports it; null if the job's own code never ran.
        orphans: Processes that outlived the job's own and were killed; null where unknown.
        proven: Whether everything was established to be dead.
        error: What went wrong in the sandbox itself; empty normally.
    """

    def __init__(
        self, exit_code: int | None, orphans: int | None, *, proven: bool, error: str = ""
    ) -> None:
        self.exit_code = exit_code
        self.orphans = orphans
        self.proven = proven
        self.error = error


class Backend(Protocol):
    """One way of confining jobs."""

    name: str

    def version(self) -> str:
        """What is used, with its version, for the record."""

    def binary_sha256(self) -> str | None:
        """sha256 of the program that confines; null where the kernel does it alone."""

    def start(self, command: ConfinedCommand) -> Contained:
        """Starts ``command`` up to where it waits for ``go``.

        Raises:
            UnavailableError: ``SANDBOX_UNAVAILABLE``: this machine can't.
            IntegrityError: ``SANDBOX_FAILED``: a write that had to be refused wasn't, or what
                is mounted isn't what was asked for.
        """
