"""Who promised to execute which job, on a queue that nobody else listens to.

``runner run`` submits a job and works on it in the same process. If that dies, nobody will ever
hear the ring. So it holds a lock (flock(2)) for as long as it lives: where the lock is free and
still there, the promise was broken.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from runner.adapters.locks import locked
from runner.errors import BusyError

_PREFIX, _SUFFIX = "run-", ".lock"


class PrivateRuns:
    """The promises below ``locks``, a folder that no job sees."""

    def __init__(self, locks: Path) -> None:
        self._locks = locks

    @contextlib.contextmanager
    def promise(self, job_id: str) -> Iterator[None]:
        """Promises to execute the job. Left by an exception, the promise counts as broken."""
        path = self._path(job_id)
        with locked(path, exclusive=True):
            yield
            path.unlink(missing_ok=True)

    def is_broken(self, job_id: str) -> bool:
        """Whether somebody promised to execute the job and isn't there any more."""
        path = self._path(job_id)
        if not path.exists():
            return False
        try:
            with locked(path, exclusive=True, blocking=False):
                return True
        except BusyError:
            return False

    def forget(self, job_id: str) -> None:
        """Removes a promise that was broken."""
        self._path(job_id).unlink(missing_ok=True)

    def job_ids(self) -> tuple[str, ...]:
        """The jobs that somebody has promised to execute, alive or not."""
        names = (path.name for path in self._locks.glob(f"{_PREFIX}*{_SUFFIX}"))
        return tuple(name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for name in names)

    def _path(self, job_id: str) -> Path:
        return self._locks / f"{_PREFIX}{job_id}{_SUFFIX}"
