"""A job on a commit that is already checked out, from submitting to its terminal status."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

from benchmarks.floor import bare_sandbox, by_hand
from benchmarks.ground import ROOT, Ground, Repository, Scale, WarmWorker, warm_worker
from benchmarks.table import Row, interleaved, seconds

_FLOOR = "bare bwrap, the same namespaces, one Redis round trip"
_BY_HAND = "worktree add, chmod, run, status, chmod, remove"


def measure(ground: Ground, scale: Scale) -> Iterator[Row]:
    command = ground.folder / "wrappers" / "local_echo.sh"
    repositories = [ground.repository(size) for size in scale.sizes]
    free_after: dict[int, list[float]] = {size: [] for size in scale.sizes}
    with warm_worker(ground) as worker:
        for repository in repositories:
            for _ in range(2):
                _job(worker, repository, free_after[repository.files])
        tree = next(ground.runner.paths.checkouts.glob(f"*/{repositories[0].sha}/tree"))
        floor = bare_sandbox(ground, command, tree)
        floor()
        for warmed_up in free_after.values():
            warmed_up.clear()

        def job(repository: Repository) -> float:
            return _job(worker, repository, free_after[repository.files])

        turns = {"floor": partial(seconds, floor)}
        turns |= {str(one.files): partial(job, one) for one in repositories}
        told = interleaved(turns, rounds=scale.runs)
    for size in scale.sizes:
        yield Row(
            f"cached job, {size:,} files",
            told[str(size)] * 1000,
            told["floor"] * 1000,
            "ms",
            _FLOOR,
            goal=3,
            most=40,
            note=f"worker free after {statistics.median(free_after[size]) * 1000:.3g} ms",
        )
    small, large = scale.sizes[0], scale.sizes[-1]
    yield Row(
        f"cached job, {large:,} files",
        told[str(large)] * 1000,
        told[str(small)] * 1000,
        "ms",
        f"the same, {small:,} files",
        goal=1.5,
    )
    for repository in repositories:
        manual = by_hand(ground, command, repository)
        taken = interleaved(
            {"by hand": partial(seconds, manual)}, rounds=_rounds(repository, scale)
        )
        ours = told[str(repository.files)]
        what = f"cached job, {repository.files:,} files"
        yield Row(what, ours * 1000, taken["by hand"] * 1000, "ms", _BY_HAND)
    yield _whole_command(ground, repositories[0], scale)


def _rounds(repository: Repository, scale: Scale) -> int:
    """By hand a big tree takes half a minute: then once must do."""
    return scale.big if repository.files <= 5_000 else 1


def _job(worker: WarmWorker, repository: Repository, free_after: list[float]) -> float:
    started = time.perf_counter()
    worker.submit("local_echo", repository)
    timed = worker.wait()
    free_after.append(timed.free_s - started)
    return timed.told_s - started


def _whole_command(ground: Ground, repository: Repository, scale: Scale) -> Row:
    environment = {
        **ground.environment,
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(ground.folder),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def start(*arguments: str) -> float:
        argv = (sys.executable, *arguments)
        return seconds(
            lambda: subprocess.run(
                argv, env=environment, cwd=ground.folder, capture_output=True, check=True
            )
        )

    job = ("-m", "runner", "run", "local_echo", "--repo", str(repository.path))
    taken = interleaved(
        {"ours": lambda: start(*job), "theirs": lambda: start("-c", "pass")},
        rounds=max(2, scale.runs // 5),
    )
    return Row(
        f"runner run local_echo, {repository.files:,} files",
        taken["ours"] * 1000,
        taken["theirs"] * 1000,
        "ms",
        "python -c pass",
        note="the whole command: imports, a Redis of its own, the hostile probe",
    )
