"""The store: what may be told to Redis about a job, and asked."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, cast

import redis

from runner.adapters.job_store.asking import reaching_redis, tell
from runner.adapters.job_store.fields import Fields, fields_of, job_of, stamp, until
from runner.adapters.job_store.listing import newest_first
from runner.errors import BugError, RefusedError
from runner.model.job import Job, Status

_SCRIPTS = Path(__file__).with_name("scripts")
_PAGE = 200


class CancelOutcome(StrEnum):
    """What became of the wish to end a job."""

    REQUESTED = "requested"
    CANCELLED = "cancelled"
    ALREADY_ENDED = "already_ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Submitted:
    """Which job a request stands for, and whether it is a new one."""

    job_id: str
    created: bool


class JobStore:
    """What Redis holds of jobs.

    Every method raises ``UnavailableError`` (``REDIS_UNAVAILABLE``) where Redis can't be reached
    or refuses to write. Times are kept to the millisecond.
    """

    def __init__(self, client: "redis.Redis", *, prefix: str = "aiops") -> None:
        """Touches nothing yet. ``client`` must answer in bytes (``decode_responses`` off)."""
        self._client = client
        self._prefix = prefix
        self._submit = self._script("submit")
        self._claim = self._script("claim")
        self._renew = self._script("renew")
        self._finish = self._script("finish")
        self._request_cancel = self._script("request_cancel")

    def submit(self, job: Job, *, idempotency_key: str | None, input_hash: str) -> Submitted:
        """Takes a job on, unless its idempotency key was used before for the same request.

        Args:
            job: New, queued or awaiting approval.
            idempotency_key: The caller's; of many callers with one key, one makes the job.
            input_hash: Tells whether two requests ask for the same.

        Raises:
            RefusedError: ``IDEMPOTENCY_CONFLICT``: the key was used for another request.
            BugError: ``JOB_ID_TAKEN``, or the job has started already.
        """
        if job.status not in (Status.QUEUED, Status.AWAITING_APPROVAL):
            raise BugError("JOB_NOT_NEW", f"got a {job.status} job, expected a new one")
        key = "" if idempotency_key is None else _digest(idempotency_key)
        answer, job_id = tell(
            self._submit,
            keys=[
                self._job(job.job_id),
                self._key("jobs"),
                self._of_status(job.status),
                self._key("idempotency", key),
            ],
            args=[
                job.job_id,
                input_hash,
                key,
                *(x for item in fields_of(job).items() for x in item),
            ],
        )
        match answer.decode():
            case "conflict":
                raise RefusedError(
                    "IDEMPOTENCY_CONFLICT",
                    f"the idempotency key belongs to job {job_id.decode()}, which asks for "
                    "something else",
                    remedy="use a new key for a new request",
                )
            case "taken":
                raise BugError("JOB_ID_TAKEN", f"there is another job {job.job_id}")
            case answer:
                return Submitted(job_id.decode(), created=answer == "created")

    def get(self, job_id: str) -> Job | None:
        """The job, if Redis knows it.

        Raises:
            IntegrityError: ``JOB_STATE_CORRUPT``: what is stored isn't a job.
        """
        with reaching_redis():
            fields = self._client.hgetall(self._job(job_id))
        return job_of(job_id, cast(Fields, fields)) if fields else None

    def claim(self, job_id: str, *, worker: str, now: datetime, lease_s: float) -> int | None:
        """The fencing number of a claim that is now the caller's; null if it isn't to be had.

        Of many callers one gets it, and only while the job is queued. The number rises with every
        claim on the job; what an earlier holder says later is not heard.
        """
        fence = tell(
            self._claim,
            keys=[
                self._job(job_id),
                self._of_status(Status.QUEUED),
                self._of_status(Status.RUNNING),
            ],
            args=[job_id, worker, stamp(now), until(now, lease_s), secrets.token_hex(8)],
        )
        return None if fence is None else int(fence)

    def renew(self, job_id: str, *, fence: int, now: datetime, lease_s: float) -> bool:
        """Whether the claim is still the caller's; its lease then lasts ``lease_s`` from now."""
        args = [fence, until(now, lease_s)]
        return bool(tell(self._renew, keys=[self._job(job_id)], args=args))

    def finish(
        self,
        job_id: str,
        *,
        fence: int | None,
        status: Status,
        reason: str | None,
        now: datetime,
    ) -> bool:
        """Whether the job has ended as the caller says; the first end stands.

        Args:
            job_id: Which.
            fence: Of the caller's claim; null to end a job that has not started.
            status: A terminal one.
            reason: Beside every status but a plain success.
            now: When it ended.

        Raises:
            BugError: the status isn't terminal.
        """
        if not status.is_terminal:
            raise BugError("JOB_NOT_ENDED", f"got {status}, expected a terminal status")
        ended = tell(
            self._finish,
            keys=[self._job(job_id), self._of_status(status)],
            args=[
                job_id,
                "" if fence is None else fence,
                status,
                reason or "",
                stamp(now),
                self._key("jobs", ""),
            ],
        )
        return bool(ended)

    def request_cancel(self, job_id: str, now: datetime) -> CancelOutcome:
        """Ends a job that hasn't started; for one that runs, tells its worker to end it."""
        outcome = tell(
            self._request_cancel,
            keys=[self._job(job_id), self._of_status(Status.CANCELLED)],
            args=[job_id, stamp(now), self._key("jobs", "")],
        )
        return CancelOutcome(outcome.decode())

    def cancel_requested(self, job_id: str) -> bool:
        """Whether somebody wants the job to end; false for one that Redis doesn't know."""
        with reaching_redis():
            return self._client.hget(self._job(job_id), "cancel_requested") == b"1"

    def list(
        self,
        *,
        limit: int,
        before: str | None = None,
        status: Status | None = None,
        job_type: str | None = None,
        repo_name: str | None = None,
    ) -> tuple[Job, ...]:
        """At most ``limit`` jobs, newest first, that are all that is asked for.

        Args:
            limit: How many at most.
            before: A job id; only older ones are listed. The last one listed continues a list.
            status: Null for any; likewise the others.
            job_type: By exact name.
            repo_name: By exact name.
        """
        ids = self._key("jobs") if status is None else self._of_status(status)
        # whole pages where most may be passed over, else only what is wanted
        page = _PAGE if job_type or repo_name else min(max(limit, 1), _PAGE)
        found = (
            job
            for job in newest_first(self._client, ids, self._job, before=before, page_size=page)
            if status in (None, job.status)
            and job_type in (None, job.job_type)
            and repo_name in (None, job.repo_name)
        )
        return tuple(islice(found, max(limit, 0)))

    def _script(self, name: str) -> Any:
        return self._client.register_script((_SCRIPTS / f"{name}.lua").read_text())

    def _key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))

    def _job(self, job_id: str) -> str:
        return self._key("job", job_id)

    def _of_status(self, status: Status) -> str:
        return self._key("jobs", status)


def _digest(key: str) -> str:
    # whatever a caller chose, as a key of fixed form; what they chose isn't kept
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
