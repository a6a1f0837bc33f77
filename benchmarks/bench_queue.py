"""How many messages, and how many jobs that do nothing, one worker gets through."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rq import Queue, SimpleWorker, Worker
from rq.worker import BaseWorker

from benchmarks.floor import bare_sandbox
from benchmarks.ground import Ground, Scale, WarmWorker
from benchmarks.table import Row, interleaved, seconds
from runner.adapters.rq_queue import RqQueue
from runner.model.ids import make_job_id
from runner.worker import serve


def measure(ground: Ground, scale: Scale) -> Iterator[Row]:
    taken = interleaved(
        {
            "ours": lambda: _ours(ground, scale.runs * 10),
            "simple": lambda: _rq(ground, SimpleWorker, scale.runs * 10),
            "fork": lambda: _rq(ground, Worker, scale.runs),
        },
        rounds=scale.big,
    )
    for name, against in (("simple", "rq.SimpleWorker"), ("fork", "rq.Worker, a fork a job")):
        yield Row(
            "a message that does nothing",
            taken["ours"] * 1000,
            taken[name] * 1000,
            "ms",
            against,
            note=f"{1 / taken['ours']:,.0f} against {1 / taken[name]:,.0f} a second",
        )
    yield _jobs(ground, scale)


def _ours(ground: Ground, count: int) -> float:
    queue = RqQueue(ground.client, "noop-ours")
    for number in range(count):
        queue.ring(make_job_id(datetime.now(UTC), number.to_bytes(16, "big")))

    def work() -> None:
        heard = serve(
            ground.client,
            "noop-ours",
            lambda _: None,
            stop_requested=lambda: False,
            burst=True,
        )
        if heard != count:
            raise RuntimeError(f"{heard} of {count} messages were heard")

    return seconds(work) / count


def _rq(ground: Ground, kind: type[BaseWorker], count: int) -> float:
    queue = Queue("noop-rq", connection=ground.client)
    for _ in range(count):
        queue.enqueue("time.time", result_ttl=0, description="noop")
    worker = kind([queue], connection=ground.client)
    return seconds(lambda: worker.work(burst=True, logging_level="ERROR")) / count


def _jobs(ground: Ground, scale: Scale) -> Row:
    repository = ground.repository(scale.sizes[0])
    floor = bare_sandbox(ground, Path("/usr/bin/true"), repository.path)
    floor()

    def jobs() -> float:
        worker = WarmWorker(ground)
        try:
            for _ in range(scale.runs + 1):
                worker.submit("noop", repository)
            worker.start()
            worker.wait()  # the first one may find everything cold
            return seconds(lambda: [worker.wait() for _ in range(scale.runs)]) / scale.runs
        finally:
            worker.close()

    def floors() -> float:
        return seconds(lambda: [floor() for _ in range(scale.runs)]) / scale.runs

    taken = interleaved({"ours": jobs, "floor": floors}, rounds=scale.big)
    return Row(
        "a job that does nothing, one after the other",
        taken["ours"] * 1000,
        taken["floor"] * 1000,
        "ms",
        "the same command under a bare bwrap",
        goal=2.5,
        note=f"{1 / taken['ours']:.0f} a second",
    )
