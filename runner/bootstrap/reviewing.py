"""What a review reads from on this machine."""

from pathlib import Path

from runner.bootstrap.core import Runner
from runner.flows.review import Source


def review_source(runner: Runner, folder: Path) -> Source:
    """The mirror of the person's own repository at ``folder``; nothing is fetched yet."""
    mirror = runner.mirrors.open(str(folder), local=True)
    return Source(mirror, runner.git, runner.paths.scratch)
