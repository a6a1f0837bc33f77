"""The bubblewrap backend as the runner uses it here: as root with another uid."""

import shutil
from pathlib import Path

import runner.adapters.sandbox
from runner.adapters.sandbox.bubblewrap import BubblewrapBackend
from tests.support.landlock_jobs import JOB_UID

BWRAP = Path(shutil.which("bwrap") or "/usr/bin/bwrap")
PROLOGUE = Path(runner.adapters.sandbox.__file__).with_name("prologue.sh")


def backend(*, binary: Path = BWRAP) -> BubblewrapBackend:
    """The backend with ``binary`` for its program."""
    return BubblewrapBackend(binary=binary, prologue=PROLOGUE, job_uid=JOB_UID)
