"""What it takes to know that a checkout is as it was sealed."""

from collections.abc import Callable, Iterator

from benchmarks.ground import Ground, Scale
from benchmarks.table import Row, interleaved, seconds
from runner.model.checkout import Checkout
from tests.support.git_repos import git


def measure(ground: Ground, scale: Scale) -> Iterator[Row]:
    quick: dict[int, float] = {}
    for size in scale.sizes:
        checkout = _checkout(ground, size)
        taken = interleaved(_ways(ground, checkout), rounds=min(scale.runs, 2_000_000 // size))
        quick[size] = taken["quick"]
        yield Row(
            f"every file compared with its snapshot, {size:,} files",
            taken["full"] * 1000,
            taken["status"] * 1000,
            "ms",
            "git status --ignored, sealed index",
        )
    small, large = scale.sizes[0], scale.sizes[-1]
    yield Row(
        f"the entry alone, {large:,} files",
        quick[large] * 1000,
        quick[small] * 1000,
        "ms",
        f"the same, {small:,} files",
        goal=1.5,
    )


def _checkout(ground: Ground, size: int) -> Checkout:
    repository = ground.repository(size)
    mirror = ground.runner.mirrors.open(str(repository.path), local=True)
    mirror.ensure_commit(repository.sha, allowed_branches=("*",), default_branch="main")
    with ground.runner.checkouts.use(
        mirror.key,
        mirror.objects,
        repository.sha,
        lambda into: mirror.materialise(repository.sha, into),
    ) as checkout:
        return checkout


def _ways(ground: Ground, checkout: Checkout) -> dict[str, Callable[[], float]]:
    def look(*, full: bool) -> None:
        if not ground.runner.checkouts.check(checkout, full=full).intact:
            raise RuntimeError(f"{checkout.entry} isn't intact")

    def status() -> None:
        look = ("status", "--porcelain", "--ignored")
        if git(checkout.entry / "tree", "--no-optional-locks", *look):
            raise RuntimeError(f"{checkout.entry} isn't clean")

    return {
        "full": lambda: seconds(lambda: look(full=True)),
        "status": lambda: seconds(status),
        "quick": lambda: seconds(lambda: look(full=False)),
    }
