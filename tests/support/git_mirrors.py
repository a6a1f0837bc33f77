"""Our mirrors and checkouts in a temporary folder, on real repositories."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.adapters.checkouts.cache import Checkouts
from runner.adapters.git.config import write_git_config
from runner.adapters.git.mirrors import Mirror, Mirrors
from runner.adapters.git.process import GitProcess
from runner.model.checkout import Checkout


class Place:
    """Everything below one folder: a git of ours, mirrors, checkouts, a source repository."""

    def __init__(self, folder: Path, *, timeout_s: float = 60.0) -> None:
        self.folder = folder
        self.source = folder / "source"
        write_git_config(folder / "gitconfig")
        self.git = GitProcess(folder / "gitconfig", timeout_s=timeout_s)
        self.mirrors = self.new_mirrors()
        self.checkouts = self.new_checkouts()

    def new_mirrors(self) -> Mirrors:
        """The same folders, as another process would see them."""
        return Mirrors(self.folder / "mirrors", self.folder / "locks", self.git)

    def new_checkouts(self, *, snapshot_limit: int = 5000) -> Checkouts:
        """Likewise."""
        return Checkouts(
            self.folder / "checkouts",
            self.folder / "locks",
            self.folder / "quarantine",
            snapshot_limit=snapshot_limit,
        )

    def mirror(self) -> Mirror:
        """The mirror of the source repository, as the operator's own path."""
        return self.mirrors.open(str(self.source), local=True)

    def ensure(self, sha: str, *, branches: tuple[str, ...] = ("*",)) -> str:
        """The tree of ``sha``, by the mirror of the source."""
        return self.mirror().ensure_commit(sha, allowed_branches=branches, default_branch="main")

    def mirror_folder(self) -> Path:
        """The mirror's git directory, to plant things in."""
        return self.mirror().objects.parent

    def materialise(self, sha: str, name: str = "built") -> Path:
        """An entry of that commit, outside the cache."""
        entry = self.folder / name
        entry.mkdir()
        self.mirror().materialise(sha, entry)
        return entry

    @contextmanager
    def use(self, sha: str, *, checkouts: Checkouts | None = None) -> Iterator[Checkout]:
        """The cached checkout of ``sha``."""
        mirror = self.mirror()
        mirror.ensure_commit(sha, allowed_branches=("*",), default_branch="main")
        cache = checkouts or self.checkouts
        with cache.use(
            mirror.key, mirror.objects, sha, lambda folder: mirror.materialise(sha, folder)
        ) as checkout:
            yield checkout


@contextmanager
def place(folder: Path, *, timeout_s: float = 60.0) -> Iterator[Place]:
    """A ``Place`` whose processes end with the block."""
    made = Place(folder, timeout_s=timeout_s)
    try:
        yield made
    finally:
        made.mirrors.close()
