"""Where in ``$ARTIFACT_DIR`` a review's files go, and keeping those places ours."""

import shutil
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from aiops_wrappers.contract import Job
from runner.errors import ConfigurationError, RunnerError
from runner.flows.bundle import Places
from runner.policy.packets import meta

OURS = (
    meta.NAME,
    meta.BUNDLE_NAME,
    meta.README_NAME,
    meta.ARCHIVE_NAME,
    meta.ORB_ARCHIVE_NAME,
    meta.PACKETS_FOLDER,
)


def new_stamp() -> str:
    """The name of a new folder of packets."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def places_of(job: Job, archive_name: str, stamp: str) -> Places:
    """Where bundle and packets go.

    Raises:
        OSError: something that isn't ours is in the place of the packets.
    """
    folder = job.artifacts / meta.PACKETS_FOLDER
    folder.mkdir()  # never through a link that lies there
    return Places(
        bundle=job.artifacts / meta.BUNDLE_NAME,
        packets=folder / stamp,
        archive=job.artifacts / archive_name,
        readme=job.artifacts / meta.README_NAME,
    )


def clear(job: Job, names: tuple[str, ...] = OURS) -> tuple[str, ...]:
    """Removes what code of the target left in places of ours; the names of what was there.

    Raises:
        OSError: some of it is still there.
    """
    return tuple(name for name in names if remove(job.artifacts / name))


def remove(place: Path) -> bool:
    """Removes ``place``, whatever it is, and follows no link; whether anything was there.

    Raises:
        OSError: it is still there.
    """
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        shutil.rmtree(place)
    else:
        place.unlink()
    return True


def refuse_what_is_there(job: Job) -> None:
    """By hand nothing is removed: what is there may be somebody's.

    Raises:
        ConfigurationError: ``OUTPUT_EXISTS``.
    """
    for name in OURS:
        place = job.artifacts / name
        if place.exists() or place.is_symlink():
            raise ConfigurationError(
                "OUTPUT_EXISTS", f"{place} is there already; expected a folder without it"
            )


def failed(job: Job, error: RunnerError | OSError) -> int:
    """The exit code for ``error``, after which nothing claims to be complete."""
    with suppress(OSError):
        clear(job)  # the claim is the first of them
    return 2 if isinstance(error, ConfigurationError) else 3
