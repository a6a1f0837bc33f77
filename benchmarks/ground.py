"""The ground that benchmarks stand on: a whole runner with a real Redis, repositories, a worker."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

import redis

from runner.adapters.job_store import JobStore
from runner.adapters.redis_server import EmbeddedRedis
from runner.adapters.rq_queue import RedisClient, RqQueue
from runner.bootstrap import Runner
from runner.flows.execute import execute
from runner.flows.submit import plan_for, submit
from runner.model.artifact import Artifact
from runner.model.job import JobPlan, JobRequest, Status
from runner.settings import load_settings
from runner.worker import serve
from tests.support.folders import remove_sealed
from tests.support.git_repos import git, git_bytes

ROOT = Path(__file__).parents[1]
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        sizes: How many files the repositories have, ascending.
        runs: How often what takes milliseconds is measured.
        big: How often what takes seconds is measured.
        megabytes: How long a long log is.
    """

    sizes: tuple[int, ...] = (100, 5_000, 50_000)
    runs: int = 31
    big: int = 3
    megabytes: int = 400


@dataclass(frozen=True)
class Repository:
    """A repository of ``files`` files with one commit."""

    path: Path
    sha: str
    files: int


@dataclass(frozen=True)
class Timed:
    """When one job reached its terminal status and its worker was free again, in seconds."""

    artifact: Artifact
    told_s: float
    free_s: float


class _TellingStore(JobStore):
    """A store that says when a job's terminal status has been written."""

    def __init__(self, client: RedisClient) -> None:
        super().__init__(client)
        self.ended: SimpleQueue[float] = SimpleQueue()

    def finish(
        self, job_id: str, *, fence: int | None, status: Status, reason: str | None, now: datetime
    ) -> bool:
        done = super().finish(job_id, fence=fence, status=status, reason=reason, now=now)
        self.ended.put(time.perf_counter())
        return done


class Ground:
    """One installation with a private Redis and repositories of each size.

    Attributes:
        folder: Everything is below it; jobs of any uid can pass it.
        runner: The parts of the program, wired as in production.
    """

    def __init__(self, folder: Path, client: RedisClient) -> None:
        self.folder = folder
        self.client = client
        configs, wrappers = folder / "configs", folder / "wrappers"
        unhashed = shutil.ignore_patterns("__pycache__", ".*")  # a fresh clone has none
        shutil.copytree(ROOT / "configs", configs)
        shutil.copytree(ROOT / "wrappers", wrappers, ignore=unhashed)
        with (configs / "job_allowlist.yaml").open("a") as allowlist:
            allowlist.write("  noop:\n    argv: [/usr/bin/true]\n    timeout_s: 30\n")
        self.environment = {
            "AIOPS_STATE_DIR": str(folder / "state"),
            "AIOPS_CONFIG_DIR": str(configs),
            "AIOPS_WRAPPERS_DIR": str(wrappers),
            "AIOPS_LOG_LEVEL": "error",
        }
        self.runner = Runner(load_settings(self.environment, uid=os.getuid()))
        self._repositories: dict[int, Repository] = {}

    def repository(self, files: int) -> Repository:
        """The repository of that size, made when it is first asked for."""
        if files not in self._repositories:
            path = self.folder / f"repository-{files}"
            self._repositories[files] = Repository(path, _make_repository(path, files), files)
        return self._repositories[files]

    def plan(self, job_type: str, repository: Repository) -> JobPlan:
        """An admitted request, with the allowlists as they were first read, as at an edge."""
        return plan_for(
            JobRequest(job_type=job_type, repo_name="big", sha=repository.sha),
            self.runner.catalog,
            now=datetime.now(UTC),
            randomness=os.urandom(16),
            local_path=str(repository.path),
        )


def _make_repository(path: Path, files: int) -> str:
    """A commit of that many small, different files, ten in a folder and ten folders in one."""
    path.mkdir()
    path.chmod(0o755)
    git(path, "init", "-q", "-b", "main", "--template=")
    parts = [b"commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 0\n"]
    for number in range(files):
        body = b"file %d\n" % number + b"a line of source, as long as such lines are\n" * 20
        name = b"d%d/e%d/file%d.txt" % (number // 100, number // 10 % 10, number)
        parts.append(b"M 100644 inline %s\ndata %d\n%s\n" % (name, len(body), body))
    git_bytes(path, "fast-import", "--quiet", stdin=b"".join(parts))
    return git(path, "rev-parse", "main")


class WarmWorker:
    """A worker that serves one queue in a thread of its own, by the way that ships."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._store = _TellingStore(ground.client)
        self._queue = RqQueue(ground.client, "benchmark")
        self._free: SimpleQueue[tuple[float, Artifact | None]] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def start(self) -> None:
        """Begins to serve, the oldest message first."""
        self._thread.start()

    def _serve(self) -> None:
        equipment = self._ground.runner.equipment(self._store)

        def handle(job_id: str) -> None:
            artifact = None
            try:
                artifact = execute(job_id, equipment, worker="benchmark")
            finally:
                self._free.put((time.perf_counter(), artifact))

        serve(self._ground.client, "benchmark", handle, stop_requested=self._stop.is_set)

    def submit(self, job_type: str, repository: Repository) -> None:
        """Admits a job and rings for it."""
        plan = self._ground.plan(job_type, repository)
        submit(plan, folders=self._ground.runner.folders, store=self._store, queue=self._queue)

    def wait(self) -> Timed:
        """The next job to end, which must have succeeded."""
        told_s = self._store.ended.get(timeout=_PATIENCE_S)
        free_s, artifact = self._free.get(timeout=_PATIENCE_S)
        if artifact is None or artifact.status is not Status.SUCCESS:
            why = "not executed" if artifact is None else f"{artifact.reason}: {artifact.detail}"
            raise RuntimeError(f"a job of the benchmark didn't succeed: {why}")
        return Timed(artifact, told_s, free_s)

    def close(self) -> None:
        """Lets the worker end; it looks up from an empty queue once a second."""
        self._stop.set()
        if self._thread.ident is not None:  # else it was never started
            self._thread.join()


@contextmanager
def warm_worker(ground: Ground) -> Iterator[WarmWorker]:
    """A worker for as long as the block runs."""
    worker = WarmWorker(ground)
    worker.start()
    try:
        yield worker
    finally:
        worker.close()


@contextmanager
def prepared_ground(below: Path) -> Iterator[Ground]:
    """An installation with its Redis in a new folder ``below``, gone afterwards.

    A socket's path must be short (unix(7)), and a job's uid must be able to pass ``below``.
    """
    folder = Path(tempfile.mkdtemp(prefix="aiops-bench-", dir=below))
    folder.chmod(0o711)
    try:
        with EmbeddedRedis(folder / "data", uid=os.getuid(), runtime_root=folder) as server:
            client = redis.Redis.from_url(server.url)
            made = Ground(folder, client)
            try:
                yield made
            finally:
                made.runner.close()
                client.close()
    finally:
        remove_sealed(folder)
