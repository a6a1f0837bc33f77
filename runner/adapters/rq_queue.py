"""The bell: RQ carries a job's id to a worker. Everything that knows RQ's inside is here.

RQ delivers at least once, and by several paths loses or doubles a message, so nothing relies on
it: who hears an id has to claim the job. What RQ would do beyond delivering is not used, and what
it would read beyond the id is not read. A message of RQ's names the function to call and carries
objects, call-backs and metadata (RQ documentation, *Jobs*): whoever can write to Redis could
thereby run code in a worker. Here a message is either exactly a ring of ours, or dropped.

Works with RQ 2.12 and 3.0: a message's key, its ``data`` field and the intermediate list are the
same in both.
"""

import contextlib
import json
import time
import zlib
from collections.abc import Callable, Iterator
from typing import cast

import redis
import structlog
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job as RqMessage
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from runner.errors import BugError, UnavailableError
from runner.model.ids import is_job_id

_log = structlog.get_logger(__name__)

RedisClient = redis.Redis
"""What both sides need; named here for callers who have no other business with Redis."""

RING = "aiops.ring"
"""The function that our messages name. There is none: a stock RQ worker that listens here by
mistake fails on the message instead of running a job past its claim."""

_LONGEST_MESSAGE = 4096  # bytes, unpacked; a ring has about 60
_LISTEN_S = 1  # between looks at whether to stop; below any sensible socket timeout
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 2.0


class RqQueue:
    """The ringing side of one RQ queue."""

    def __init__(self, client: RedisClient, name: str) -> None:
        """Touches nothing yet. ``client`` must answer in bytes."""
        self._queue = Queue(name, connection=client, serializer=JSONSerializer)

    def ring(self, job_id: str) -> None:
        """Tells some worker that the job may be there to be claimed. Ringing twice is harmless.

        Raises:
            UnavailableError: ``REDIS_UNAVAILABLE``.
            BugError: not a job's id.
        """
        if not is_job_id(job_id):
            raise BugError("NOT_A_JOB_ID", f"got {job_id!r}, expected a job id")
        with _reaching_redis():
            self._queue.enqueue_call(
                RING,
                args=(job_id,),
                timeout=-1,  # RQ's default ends jobs after 180 s; deadlines are ours
                result_ttl=0,
                failure_ttl=0,
                description="ring",  # else RQ writes the arguments there
            )


class RingWorker(BaseWorker):
    """The hearing side: calls ``handler`` with each id, one at a time.

    In the thread that calls ``run``, without a fork: a sandbox that is to die with its starter
    follows the thread that started it. A message stays in RQ's intermediate list until the handler
    has returned; what a killed worker leaves there is rung again when one starts.

    Not in RQ's list of workers, no scheduler, no maintenance, no commands over pub/sub: each would
    make RQ read messages in its own way.
    """

    def __init__(
        self, client: RedisClient, queue_name: str, handler: Callable[[str], None]
    ) -> None:
        """Touches nothing yet.

        Args:
            client: Answers in bytes; its socket timeout, if any, is over a second.
            queue_name: The one queue to listen to: with two, RQ loses what a killed worker held.
            handler: Called with a job's id. What it raises ends ``run``; the message stays.
        """
        super().__init__(
            [queue_name],
            connection=client,
            serializer=JSONSerializer,
            prepare_for_work=False,
        )
        self._handler = handler
        self._queue: Queue = self.queues[0]
        self._held_key: str = self._queue.intermediate_queue.key

    def _set_connection(self, connection: RedisClient) -> RedisClient:
        # RQ would raise the socket timeout of the caller's whole connection pool
        return connection

    def run(
        self,
        *,
        stop_requested: Callable[[], bool],
        max_jobs: int | None = None,
        burst: bool = False,
    ) -> int:
        """Listens until told to stop; how often the handler was called.

        Without Redis it waits for it to come back, in burst mode it raises.

        Args:
            stop_requested: Asked before each message, and every second while there is none.
            max_jobs: Stops after so many calls.
            burst: Stops when the queue is empty.

        Raises:
            UnavailableError: ``REDIS_UNAVAILABLE``, in burst mode.
        """
        heard = 0
        wait_s = 0.0
        found_left_over = False
        while not stop_requested() and (max_jobs is None or heard < max_jobs):
            try:
                with _reaching_redis():
                    if not found_left_over:
                        self._ring_left_over_again()
                        found_left_over = True
                    key = self._next(wait=not burst)
                    job_id = None if key is None else self._read(key)
                wait_s = 0.0
            except UnavailableError as error:
                if burst:
                    raise
                wait_s = self._wait_for_redis(wait_s, error)
                continue
            if key is None:
                if burst:
                    break
                continue
            if job_id is not None:
                heard += 1
                self._handler(job_id)
            self._forget(key)
        return heard

    def _next(self, *, wait: bool) -> bytes | None:
        """The key of the next message, moved to the intermediate list; null if there is none."""
        try:
            found = Queue.lmove(self.connection, self._queue.key, _LISTEN_S if wait else None)
        except DequeueTimeout:
            return None
        return None if found is None else bytes(found[1])

    def _read(self, message_id: bytes) -> str | None:
        """The job's id in a ring; null, and a line in the log, for anything else."""
        try:
            data = cast("bytes | None", self.connection.hget(_message_key(message_id), "data"))
        except redis.ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            data = b""
        if data is None:
            return None  # its message was handled already
        job_id = _rung_for(data)
        if job_id is None:
            _log.warning("queue.message_dropped", message=repr(message_id[:80]))
        return job_id

    def _forget(self, message_id: bytes) -> None:
        try:
            with _reaching_redis(), self.connection.pipeline() as pipeline:
                pipeline.delete(_message_key(message_id))
                pipeline.lrem(self._held_key, 1, cast("str", message_id))  # bytes will do
                pipeline.execute()
        except UnavailableError as error:
            # it will ring once more, for a job that is no longer to be claimed
            _log.warning("queue.message_not_removed", error=str(error))

    def _ring_left_over_again(self) -> None:
        # what another worker is busy with rings too: its claim doesn't let anybody else in
        for _ in range(self.connection.llen(self._held_key)):
            self.connection.lmove(self._held_key, self._queue.key, "LEFT", "RIGHT")

    def _wait_for_redis(self, waited_s: float, error: UnavailableError) -> float:
        if not waited_s:
            _log.warning("queue.redis_away", error=str(error))
        wait_s = min(max(waited_s * 2, _FIRST_WAIT_S), _LONGEST_WAIT_S)
        time.sleep(wait_s)
        return wait_s


def _message_key(message_id: bytes) -> bytes:
    return RqMessage.redis_job_namespace_prefix.encode() + message_id


def _rung_for(data: bytes) -> str | None:
    """The job's id if ``data`` is exactly what ``RqQueue.ring`` writes: RQ's four-part call."""
    try:
        unpacked = zlib.decompressobj().decompress(data, _LONGEST_MESSAGE)
        call = json.loads(unpacked)
    except (zlib.error, ValueError, RecursionError):
        return None
    match call:
        case [str(name), None, [str(job_id)], {**options}] if not options:
            return job_id if name == RING and is_job_id(job_id) else None
    return None


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
