"""``FORCE_SIZE_CAP=1``: a review bundle's fallback by hand, outside any job, to try it out."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aiops_wrappers.contract import ContractError, Job

SWITCH = "FORCE_SIZE_CAP"
NAME = "orb_review_bundle"


def is_forced(name: str, environment: Mapping[str, str]) -> bool:
    """Whether somebody at a terminal wants the packets of ``name``, whatever the size.

    Raises:
        ContractError: a job wants it, which mustn't be able to; or it has another value than 1.
    """
    value = environment.get(SWITCH, "")
    if name != NAME or value in ("", "0"):
        return False
    if environment.get("AIOPS_JOB_ID"):
        raise ContractError(f"{SWITCH} is refused inside a job: it is for trying things by hand")
    if value != "1":
        raise ContractError(f"{SWITCH} is {value!r}, expected 1")
    return True


@contextmanager
def job_by_hand(environment: Mapping[str, str]) -> Iterator[Job]:
    """What a job would be given, from the repository in the working directory.

    Raises:
        ContractError: there is no repository, or ``ARTIFACT_DIR`` can't be one.
    """
    if not environment.get("ARTIFACT_DIR"):
        raise ContractError("ARTIFACT_DIR isn't set: expected a folder for the packets")
    artifacts = Path(environment["ARTIFACT_DIR"]).absolute()
    try:
        artifacts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ContractError(f"ARTIFACT_DIR is {str(artifacts)!r}: {error.strerror}") from error
    # a git hook, or a shell that was set up for another repository, leaves these behind
    kept = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
    with tempfile.TemporaryDirectory(prefix="orb-review-bundle-") as tmp:
        yield Job(
            checkout=Path(_git(kept, "rev-parse", "--show-toplevel")),
            artifacts=artifacts,
            tmp=Path(tmp),
            python=sys.executable,
            environment={**kept, "AIOPS_SHA": _git(kept, "rev-parse", "--verify", "HEAD^{commit}")},
            by_hand=True,
        )


def _git(environment: Mapping[str, str], *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], env=dict(environment), capture_output=True, check=False
        )
    except OSError as error:
        raise ContractError(f"git can't be started: {error.strerror}") from error
    if done.returncode:
        why = done.stderr.decode("utf-8", "backslashreplace").strip()
        raise ContractError(f"expected a git repository with a commit in {os.getcwd()!r}: {why}")
    return os.fsdecode(done.stdout).removesuffix("\n")
