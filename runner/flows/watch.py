"""Keeps a claim while its job runs, and hears when the job is to end."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from runner.adapters.job_store import JobStore
from runner.errors import UnavailableError
from runner.model.artifact import Artifact
from runner.model.sandbox import Stop

_log = structlog.get_logger(__name__)

_TELL_TRIES = 3
_AWAY_S = 5.0  # a store that hangs blocks whoever asks it, and the job's logs and limits with them


class Watch:
    """The claim of one running job.

    An outage of Redis isn't a lost lease: nobody can take the job over meanwhile, so it runs on.
    """

    def __init__(
        self,
        store: JobStore,
        job_id: str,
        fence: int,
        lease_s: float,
        interrupted: Callable[[], Stop | None],
    ) -> None:
        """Takes the fencing number that the claim gave."""
        self._store = store
        self._job_id = job_id
        self._fence = fence
        self._lease_s = lease_s
        self._interrupted = interrupted
        self._renew_at = time.monotonic() + lease_s / 3
        self._ask_at = 0.0

    def should_stop(self) -> Stop | None:
        """Why the job is to end now, if it is."""
        if (stop := self._interrupted()) is not None:
            return stop
        if time.monotonic() < self._ask_at:
            return None
        try:
            if self._store.cancel_requested(self._job_id):
                return Stop.CANCELLED
            if time.monotonic() >= self._renew_at:
                self._renew_at = time.monotonic() + self._lease_s / 3
                now = datetime.now(UTC)
                held = self._store.renew(
                    self._job_id, fence=self._fence, now=now, lease_s=self._lease_s
                )
                return None if held else Stop.LEASE_LOST
        except UnavailableError as error:
            self._ask_at = time.monotonic() + _AWAY_S
            _log.warning("watch.store_away", job_id=self._job_id, error=str(error))
        return None

    def tell_end(self, artifact: Artifact) -> None:
        """Tells the store how the job ended. The sealed record is the truth, told or not."""
        for _ in range(_TELL_TRIES):
            try:
                self._store.finish(
                    self._job_id,
                    fence=self._fence,
                    status=artifact.status,
                    reason=artifact.reason,
                    now=artifact.finished_at,
                )
            except UnavailableError as error:
                _log.warning("watch.end_untold", job_id=self._job_id, error=str(error))
            else:
                return
