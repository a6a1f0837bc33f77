"""One job's folder: held by one executor, sealed once, and gone when its time is over."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from runner.adapters.files import create_durably
from runner.adapters.job_folders.layout import (
    OUTPUTS,
    PLAN,
    RECORD,
    RESERVE,
    REVOCATION,
    is_left_over,
    is_of_the_living,
)
from runner.adapters.job_folders.sealing import Attest, keep_only, write_record
from runner.errors import BugError, BusyError, IntegrityError, NotFoundError, UnavailableError
from runner.model.artifact import Artifact
from runner.model.job import JobPlan

RESERVE_BYTES: Final = 256 * 1024


class JobFolder:
    """One job's folder.

    Attributes:
        path: Where it is.
        job_id: Whose it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job_id = path.name
        self._held = False

    @property
    def stdout(self) -> Path:
        """Where standard output is kept."""
        return self.path / "stdout.log"

    @property
    def stderr(self) -> Path:
        """Where standard error is kept."""
        return self.path / "stderr.log"

    @property
    def outputs(self) -> Path:
        """Where the collected outputs lie."""
        return self.path / OUTPUTS

    def plan(self) -> JobPlan:
        """What was accepted.

        Raises:
            IntegrityError: ``PLAN_INVALID``: what lies there isn't a plan of this job.
        """
        try:
            plan = JobPlan.model_validate_json((self.path / PLAN).read_bytes())
        except (OSError, ValidationError) as error:
            raise IntegrityError("PLAN_INVALID", f"{self.path / PLAN}: {error}") from error
        if plan.job_id != self.job_id:
            raise IntegrityError(
                "PLAN_INVALID", f"got the plan of {plan.job_id}, expected that of {self.job_id}"
            )
        return plan

    def artifact(self) -> Artifact | None:
        """The sealed record; null while there is none.

        Raises:
            IntegrityError: ``RECORD_INVALID``: what lies there isn't a record of this job.
        """
        try:
            record = Artifact.model_validate_json((self.path / RECORD).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise IntegrityError("RECORD_INVALID", f"{self.path / RECORD}: {error}") from error
        if record.job_id != self.job_id:
            raise IntegrityError(
                "RECORD_INVALID", f"got the record of {record.job_id}, expected {self.job_id}'s"
            )
        return record

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Makes this the job's only executor until it is left, or its process dies.

        The lock is the kernel's (flock(2)) on ``plan.json``, which no job can open: who gets it
        knows that nobody living executes the job.

        Raises:
            BusyError: ``JOB_HELD``: somebody alive executes it.
            NotFoundError: ``JOB_UNKNOWN``: the folder is gone.
        """
        if self._held:
            raise BugError("JOB_HELD_TWICE", f"job {self.job_id} is held by this very object")
        try:
            fd = os.open(self.path / PLAN, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFoundError("JOB_UNKNOWN", f"no job {self.job_id} any more") from error
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BusyError("JOB_HELD", f"job {self.job_id} is being executed") from error
            self._held = True
            yield
        finally:
            self._held = False
            os.close(fd)

    def is_revoked(self) -> bool:
        """Whether the sealed record was revoked afterwards."""
        return os.path.lexists(self.path / REVOCATION)

    def was_begun(self) -> bool:
        """Whether somebody has begun to execute the job and hasn't sealed it."""
        return (self.path / RESERVE).exists()

    def sealed(self) -> Artifact:
        """The sealed record of a job that has ended.

        Raises:
            IntegrityError: ``RECORD_INVALID``: what lies there isn't one, or nothing does.
        """
        record = self.artifact()
        if record is None:
            raise IntegrityError("RECORD_INVALID", f"{self.path} holds no sealed record")
        return record

    def discard(self) -> None:
        """Removes the folder of a job that nobody was told of; a sealed one stays.

        Raises:
            BugError: ``JOB_SEALED``.
        """
        if os.path.lexists(self.path / RECORD):
            raise BugError("JOB_SEALED", f"job {self.job_id} has its record: it can't be undone")
        shutil.rmtree(self.path)

    def expire(self) -> None:
        """Removes the folder of a job that has ended: first its name, then what is in it.

        Raises:
            BugError: ``JOB_NOT_SEALED``: it hasn't ended.
            BusyError: ``JOB_HELD``: somebody holds it.
            OSError: the disk.
        """
        if not os.path.lexists(self.path / RECORD):
            raise BugError("JOB_NOT_SEALED", f"job {self.job_id} hasn't ended")
        with self.hold():
            gone = self.path.with_name(f".expired-{self.job_id}")
            self.path.rename(gone)
        shutil.rmtree(gone)

    def reserve(self, size_bytes: int = RESERVE_BYTES) -> None:
        """Takes the space that sealing will need, so that a disk that fills up can't prevent it.

        Raises:
            UnavailableError: ``DISK_FULL``: it isn't there; don't start the job.
        """
        path = self.path / RESERVE
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, size_bytes)
            finally:
                os.close(fd)
        except OSError as error:
            self.release_reserve()
            raise unavailable(error, path) from error

    def release_reserve(self) -> None:
        """Gives the reserved space back.

        The file itself stays until the record is there: whoever is killed in between has begun.
        """
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self.path / RESERVE, 0)

    def tidy(self) -> None:
        """Removes what only a running job has, from the folder of one that has ended.

        Raises:
            BugError: ``JOB_NOT_SEALED``: it hasn't ended.
            OSError: the disk.
        """
        if not os.path.lexists(self.path / RECORD):
            raise BugError("JOB_NOT_SEALED", f"job {self.job_id} hasn't ended")
        self._sweep(is_of_the_living)

    def seal(self, artifact: Artifact, attest: Attest) -> bool:
        """Writes the record, its checksums and its signature; ``artifact.json`` comes last.

        Interrupted at any point there is either no ``artifact.json`` or a whole one, and
        sealing can be done again. What lies below ``outputs/`` without being named by the
        record goes.

        Args:
            artifact: The record. Its files are on disk already.
            attest: Signs; called with what goes to disk.

        Returns:
            Whether this record is now the sealed one. The first one stands.

        Raises:
            BusyError: ``JOB_HELD``: somebody else executes the job.
            UnavailableError: ``DISK_FULL``, ``STATE_UNWRITABLE``: there is no record yet.
        """
        if artifact.job_id != self.job_id:
            raise BugError("WRONG_JOB", f"got a record of {artifact.job_id}, for {self.job_id}")
        with contextlib.nullcontext() if self._held else self.hold():
            sealed = os.path.lexists(self.path / RECORD)
            try:
                self.release_reserve()
                self._sweep(is_left_over)
                if not sealed:
                    keep_only(self.path, {output.path for output in artifact.outputs})
                    write_record(self.path, artifact, attest)
                self.tidy()
            except OSError as error:
                raise unavailable(error, self.path) from error
        return not sealed

    def attach(self, name: str, envelope: bytes) -> bool:
        """Puts a later finding beside the sealed record: ``audit.json``, ``revocation.json``.

        Returns:
            Whether it is there now because of this call; the first one stands.
        """
        try:
            create_durably(self.path / name, envelope, mode=0o600)
        except FileExistsError:
            return False
        return True

    def _sweep(self, goes: Callable[[str], bool]) -> None:
        for name in os.listdir(self.path):
            if goes(name):
                (self.path / name).unlink()


def unavailable(error: OSError, path: Path) -> UnavailableError:
    """What is said to a caller whose job's folder the disk refused to change."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return UnavailableError(
            "DISK_FULL",
            f"no space left for {path}",
            remedy="free space on that file system, or run: runner gc",
        )
    return UnavailableError("STATE_UNWRITABLE", f"{path}: {error.strerror or error}")
