"""The first job on a commit: its verified checkout, against git's own unverified one.

Nothing is removed before the end: what is made where much was just removed says more about the
file system than about who makes it.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.ground import Ground, Repository, Scale
from benchmarks.table import Row, interleaved, seconds
from runner.adapters.checkouts.cache import Checkouts
from tests.support.git_repos import git


def measure(ground: Ground, scale: Scale) -> Iterator[Row]:
    for size in scale.sizes:
        repository = ground.repository(size)
        taken = interleaved(
            {"ours": _verified(ground, repository), "theirs": _worktree(ground, repository)},
            rounds=max(scale.big, scale.runs // 3) if size <= 5_000 else scale.big,
        )
        yield Row(
            f"first checkout, {size:,} files",
            taken["ours"] * 1000,
            taken["theirs"] * 1000,
            "ms",
            "git worktree add",
            goal=1.3,
        )


def _verified(ground: Ground, repository: Repository) -> Callable[[], float]:
    """Objects to sealed, snapshotted entry; the commit has been fetched."""
    mirror = ground.runner.mirrors.open(str(repository.path), local=True)
    mirror.ensure_commit(repository.sha, allowed_branches=("*",), default_branch="main")
    paths = ground.runner.paths

    def run() -> float:
        fresh = Path(tempfile.mkdtemp(dir=ground.folder))
        checkouts = Checkouts(fresh, paths.locks, paths.quarantine)

        def build() -> None:
            with checkouts.use(
                mirror.key,
                mirror.objects,
                repository.sha,
                lambda into: mirror.materialise(repository.sha, into),
            ):
                pass

        return seconds(build)

    return run


def _worktree(ground: Ground, repository: Repository) -> Callable[[], float]:
    def run() -> float:
        tree = Path(tempfile.mkdtemp(dir=ground.folder)) / "worktree"
        add = ("worktree", "add", "-q", "--detach", str(tree), repository.sha)
        return seconds(lambda: git(repository.path, *add))

    return run
