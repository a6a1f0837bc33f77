"""Attacks by whoever can write to Redis: a message of RQ's names what to call and carries objects."""

import json
import pickle
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.job import Job as RqMessage
from rq.serializers import JSONSerializer
from structlog.testing import capture_logs

from runner.adapters.rq_queue import RING, RingWorker, RqQueue

pytest_plugins = ("tests.support.redis_fixtures",)

JOB = "20260304-050607-00000000aa"

MESSAGE = b"the-message"


class RunsWhenUnpickled:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return (Path.touch, (self.mark,))


def put(client: "redis.Redis", data: bytes, **fields: bytes | str) -> None:
    """Puts a message into the queue as RQ would, byte for byte as the attacker likes."""
    key = (RqMessage.redis_job_namespace_prefix.encode() + MESSAGE).decode()
    for name, value in {"data": data, "status": "queued", **fields}.items():
        client.hset(key, name, value)
    client.rpush(Queue("jobs", connection=client).key, MESSAGE)


def heard(client: "redis.Redis") -> list[str]:
    """What reaches the handler, with a ring of ours behind the attack."""
    RqQueue(client, "jobs").ring(JOB)
    ids: list[str] = []
    RingWorker(client, "jobs", ids.append).run(stop_requested=lambda: False, burst=True)
    return ids


def call(name: str, *args: object, instance: object = None, **options: object) -> bytes:
    return zlib.compress(json.dumps([name, instance, args, options]).encode())


def test_a_message_that_names_os_system_is_dropped_and_said_so(
    empty_redis: "redis.Redis", tmp_path: Path
) -> None:
    put(empty_redis, call("os.system", f"touch {tmp_path}/mark"))

    with capture_logs() as logged:
        assert heard(empty_redis) == [JOB]

    assert [line["event"] for line in logged] == ["queue.message_dropped"]
    assert list(tmp_path.iterdir()) == []
    assert set(empty_redis.scan_iter()) == {b"rq:queues"}


def test_a_message_enqueued_by_rq_itself_is_dropped(
    empty_redis: "redis.Redis", tmp_path: Path
) -> None:
    Queue("jobs", connection=empty_redis, serializer=JSONSerializer).enqueue(
        "os.mkdir", str(tmp_path / "mark")
    )

    assert heard(empty_redis) == [JOB]
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_a_message_names_is_not_imported(
    empty_redis: "redis.Redis", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    put(empty_redis, call("evil.run", JOB))

    assert heard(empty_redis) == [JOB]
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("packed", [zlib.compress, bytes], ids=["compressed", "plain"])
def test_a_pickle_is_not_unpickled(
    empty_redis: "redis.Redis", tmp_path: Path, packed: Callable[[bytes], bytes]
) -> None:
    put(empty_redis, packed(pickle.dumps(RunsWhenUnpickled(tmp_path / "mark"))))

    assert heard(empty_redis) == [JOB]
    assert not (tmp_path / "mark").exists()


def test_pickles_beside_a_true_ring_are_not_unpickled(
    empty_redis: "redis.Redis", tmp_path: Path
) -> None:
    evil = pickle.dumps(RunsWhenUnpickled(tmp_path / "mark"))
    put(empty_redis, call(RING, JOB), meta=evil, result=evil, exc_info=evil)

    assert heard(empty_redis) == [JOB, JOB]
    assert not (tmp_path / "mark").exists()


def test_a_left_over_message_with_a_pickle_is_not_unpickled_by_maintenance(
    empty_redis: "redis.Redis", tmp_path: Path
) -> None:
    evil = pickle.dumps(RunsWhenUnpickled(tmp_path / "mark"))
    put(empty_redis, evil, meta=evil)
    queue = Queue("jobs", connection=empty_redis)
    empty_redis.rename(queue.key, queue.intermediate_queue.key)

    assert heard(empty_redis) == [JOB]
    assert not (tmp_path / "mark").exists()


def test_call_backs_beside_a_true_ring_are_not_called(
    empty_redis: "redis.Redis", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil2.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    names = ("success", "failure", "stopped")
    put(empty_redis, call(RING, JOB), **{f"{name}_callback_name": "evil2.run" for name in names})

    assert heard(empty_redis) == [JOB, JOB]
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "data",
    [
        call(RING, "../../etc"),
        call(RING, JOB + "\n"),
        call(RING, JOB, JOB),
        call(RING),
        call(RING, [JOB]),
        call(RING, JOB, instance="os"),
        call(RING, JOB, job_id=JOB),
        zlib.compress(b"[" * 4000),
        zlib.compress(b"\xff\xfe"),
        zlib.compress(json.dumps({"func": RING, "args": [JOB]}).encode()),
        zlib.compress(json.dumps([RING, None, JOB, {}]).encode()),
        b"",
        b"not compressed",
    ],
)
def test_what_is_almost_a_ring_is_dropped(empty_redis: "redis.Redis", data: bytes) -> None:
    put(empty_redis, data)

    assert heard(empty_redis) == [JOB]
    assert set(empty_redis.scan_iter()) == {b"rq:queues"}


def test_a_message_that_unpacks_to_a_gigabyte_is_not_unpacked(empty_redis: "redis.Redis") -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(b" " * 2**20) for _ in range(1024)) + packer.flush()
    put(empty_redis, bomb)

    tracemalloc.start()
    try:
        assert heard(empty_redis) == [JOB]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**26


def test_a_message_that_is_no_hash_or_no_text_does_not_stop_the_worker(
    empty_redis: "redis.Redis",
) -> None:
    key = Queue("jobs", connection=empty_redis).key
    empty_redis.set("rq:job:text", "x")
    empty_redis.rpush(key, "text", b"\xff\xfe", "x" * 100_000, "gone", "")

    assert heard(empty_redis) == [JOB]
    assert set(empty_redis.scan_iter()) == {b"rq:queues"}


def test_a_command_over_pub_sub_finds_nobody_listening(empty_redis: "redis.Redis") -> None:
    """RQ's own workers obey whoever can publish."""
    listening: list[object] = []

    def look(_: str) -> None:
        listening.extend(empty_redis.pubsub_channels())

    RqQueue(empty_redis, "jobs").ring(JOB)
    RingWorker(empty_redis, "jobs", look).run(stop_requested=lambda: False, burst=True)

    assert listening == []


def test_still_allows_a_ring(empty_redis: "redis.Redis") -> None:
    assert heard(empty_redis) == [JOB]
