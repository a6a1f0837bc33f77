"""What a wrapper is given: the one place that reads the job's environment."""

import os
from dataclasses import dataclass
from pathlib import Path


class ContractError(Exception):
    """A wrapper was started without what a job always has, or with a value it can't take."""


@dataclass(frozen=True)
class Job:
    """What this job was given.

    Attributes:
        checkout: The read-only tree of one commit, which is the working directory.
        artifacts: The only folder whose contents outlive the job.
        tmp: A private folder that vanishes.
        python: Absolute path of the interpreter for Python code of the target.
        environment: All of the environment, for the target's own scripts.
        by_hand: Whether this is no job, but somebody at a terminal, and nothing confines.
    """

    checkout: Path
    artifacts: Path
    tmp: Path
    python: str
    environment: dict[str, str]
    by_hand: bool = False

    @property
    def repo(self) -> str:
        """The repository's name in the allowlist."""
        return self.environment.get("AIOPS_REPO", "")

    @property
    def sha(self) -> str:
        """The full id of the commit."""
        return self.environment.get("AIOPS_SHA", "")

    def param(self, name: str, default: str = "") -> str:
        """The value of the parameter ``name``, which arrives in upper case."""
        return self.environment.get(name.upper(), default)


def read_job() -> Job:
    """The job that this process is.

    Raises:
        ContractError: not started as a job.
    """
    environment = dict(os.environ)
    missing = [
        name
        for name in ("ARTIFACT_DIR", "TMPDIR", "AIOPS_PYTHON", "AIOPS_SHA")
        if not environment.get(name)
    ]
    if missing:
        raise ContractError(f"{', '.join(missing)} isn't set: this runs inside a job")
    artifacts = Path(environment["ARTIFACT_DIR"])
    if not artifacts.is_dir():
        raise ContractError(f"ARTIFACT_DIR is {str(artifacts)!r}, expected a folder")
    return Job(
        checkout=Path.cwd(),
        artifacts=artifacts,
        tmp=Path(environment["TMPDIR"]),
        python=environment["AIOPS_PYTHON"],
        environment=environment,
    )
