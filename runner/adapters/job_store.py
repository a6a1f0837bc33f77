"""The state of the living jobs in Redis. Each change is one atomic script.

Redis runs a script without letting anything come between (Redis documentation, *Scripting with
Lua*), so what a script has read still holds when it writes. A lost reply leaves open whether a
change was made, so it is told once more; each script is written so that the second telling answers
as the first did.

Keys, below the prefix: ``job:<id>`` (a hash, the job), ``jobs`` and ``jobs:<status>`` (job ids,
which sort by time, as sorted sets without scores), ``idempotency:<sha256 of the key>``. Scripts
reach keys that they find by reading, so this is not for Redis Cluster.
"""

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, cast

import redis

from runner.errors import BugError, IntegrityError, RefusedError, UnavailableError
from runner.model.ids import is_job_id
from runner.model.job import Job, Status

_SCRIPTS = Path(__file__).with_name("job_store_scripts")
_PAGE = 200

_Fields = dict[bytes, bytes]


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
        fields = job.model_dump(mode="json", exclude={"job_id"}, exclude_none=True)
        fields["cancel_requested"] = int(job.cancel_requested)
        answer, job_id = _tell(
            self._submit,
            keys=[
                self._job(job.job_id),
                self._key("jobs"),
                self._of_status(job.status),
                self._key("idempotency", key),
            ],
            args=[job.job_id, input_hash, key, *(x for item in fields.items() for x in item)],
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
        with _reaching_redis():
            fields = self._client.hgetall(self._job(job_id))
        return _job(job_id, cast(_Fields, fields)) if fields else None

    def claim(self, job_id: str, *, worker: str, now: datetime, lease_s: float) -> int | None:
        """The fencing number of a claim that is now the caller's; null if it isn't to be had.

        Of many callers one gets it, and only while the job is queued. The number rises with every
        claim on the job; what an earlier holder says later is not heard.
        """
        fence = _tell(
            self._claim,
            keys=[
                self._job(job_id),
                self._of_status(Status.QUEUED),
                self._of_status(Status.RUNNING),
            ],
            args=[job_id, worker, _stamp(now), _until(now, lease_s), secrets.token_hex(8)],
        )
        return None if fence is None else int(fence)

    def renew(self, job_id: str, *, fence: int, now: datetime, lease_s: float) -> bool:
        """Whether the claim is still the caller's; its lease then lasts ``lease_s`` from now."""
        args = [fence, _until(now, lease_s)]
        return bool(_tell(self._renew, keys=[self._job(job_id)], args=args))

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
        ended = _tell(
            self._finish,
            keys=[self._job(job_id), self._of_status(status)],
            args=[
                job_id,
                "" if fence is None else fence,
                status,
                reason or "",
                _stamp(now),
                self._key("jobs", ""),
            ],
        )
        return bool(ended)

    def request_cancel(self, job_id: str, now: datetime) -> CancelOutcome:
        """Ends a job that hasn't started; for one that runs, tells its worker to end it."""
        outcome = _tell(
            self._request_cancel,
            keys=[self._job(job_id), self._of_status(Status.CANCELLED)],
            args=[job_id, _stamp(now), self._key("jobs", "")],
        )
        return CancelOutcome(outcome.decode())

    def cancel_requested(self, job_id: str) -> bool:
        """Whether somebody wants the job to end; false for one that Redis doesn't know."""
        with _reaching_redis():
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
        # whole pages where most may be passed over, else only what is wanted
        page = _PAGE if job_type or repo_name else min(max(limit, 1), _PAGE)
        found = (
            job
            for job in self._newest_first(before, status, page)
            if status in (None, job.status)
            and job_type in (None, job.job_type)
            and repo_name in (None, job.repo_name)
        )
        return tuple(islice(found, max(limit, 0)))

    def _newest_first(
        self, before: str | None, status: Status | None, page_size: int
    ) -> Iterator[Job]:
        ids = self._key("jobs") if status is None else self._of_status(status)
        last = before
        while True:
            with _reaching_redis():
                page = cast(
                    "list[bytes]",
                    self._client.zrevrangebylex(
                        ids, "+" if last is None else f"({last}", "-", start=0, num=page_size
                    ),
                )
                if not page:
                    return
                pipeline = self._client.pipeline(transaction=False)
                for raw_id in page:
                    pipeline.hgetall(self._job(raw_id.decode()))
                rows = pipeline.execute()
            last = page[-1].decode()
            for raw_id, fields in zip(page, rows, strict=True):
                if fields:
                    yield _job(raw_id.decode(), fields)

    def _script(self, name: str) -> Any:
        return self._client.register_script((_SCRIPTS / f"{name}.lua").read_text())

    def _key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))

    def _job(self, job_id: str) -> str:
        return self._key("job", job_id)

    def _of_status(self, status: Status) -> str:
        return self._key("jobs", status)


def _tell(script: Callable[..., Any], *, keys: Sequence[str], args: Sequence[str | int]) -> Any:
    with _reaching_redis():
        try:
            return script(keys=keys, args=args)
        except (redis.ConnectionError, redis.TimeoutError):
            return script(keys=keys, args=args)


@contextlib.contextmanager
def _reaching_redis() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise UnavailableError(
            "REDIS_UNAVAILABLE",
            f"Redis can't be used: {error}",
            remedy="start Redis, or mend what it says; then try again",
        ) from error


def _digest(key: str) -> str:
    # whatever a caller chose, as a key of fixed form; what they chose isn't kept
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _stamp(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")


def _until(now: datetime, lease_s: float) -> int:
    return int((now.timestamp() + lease_s) * 1000)


def _job(job_id: str, raw_fields: _Fields) -> Job:
    fields = {name.decode(): value.decode() for name, value in raw_fields.items()}
    try:
        if not is_job_id(job_id):
            raise ValueError(f"got {job_id!r}, expected a job id")
        return Job(
            job_id=job_id,
            job_type=fields["job_type"],
            repo_name=fields["repo_name"],
            sha=fields["sha"],
            status=Status(fields["status"]),
            reason=fields.get("reason"),
            created_at=datetime.fromisoformat(fields["created_at"]),
            started_at=_time(fields.get("started_at")),
            finished_at=_time(fields.get("finished_at")),
            attempt=int(fields.get("attempt", 0)),
            fence=int(fields.get("fence", 0)),
            cancel_requested=fields.get("cancel_requested") == "1",
        )
    except (KeyError, ValueError) as error:
        raise IntegrityError(
            "JOB_STATE_CORRUPT", f"what Redis holds of job {job_id!r} isn't a job: {error}"
        ) from error


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
