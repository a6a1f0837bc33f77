"""What gc does: old records, caches over their age or size, and what killed processes left."""

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from runner.adapters.checkouts.cache import Checkouts
from runner.adapters.git.mirrors import Mirrors
from runner.adapters.job_folders import JobFolders
from runner.adapters.scratch import remove
from runner.errors import BusyError, RunnerError
from runner.model.ids import is_job_id
from runner.policy.retention import (
    Cached,
    KeptRecord,
    choose_evictions,
    choose_expired_artifacts,
)

# A probe, or the acceptance of a job, takes a second; what is older and still there was killed.
_ABANDONED = timedelta(hours=1)


@dataclass(frozen=True)
class Removal:
    """One thing that was removed, or would be.

    Attributes:
        kind: ``record``, ``checkout``, ``mirror``, ``scratch``, ``quarantine`` or ``wrappers``.
        done: Whether it is gone; false in a dry run, and where somebody uses it.
    """

    kind: str
    name: str
    size_bytes: int
    done: bool


@dataclass(frozen=True)
class Keeping:
    """How long and how much is kept, and where it lies."""

    folders: JobFolders
    checkouts: Checkouts
    mirrors: Mirrors
    scratch: Path
    quarantine: Path
    wrappers: Path
    current_wrappers: str
    records_max_age: timedelta
    cache_max_age: timedelta
    cache_max_bytes: int


def collect_garbage(keeping: Keeping, *, now: datetime, dry_run: bool) -> tuple[Removal, ...]:
    """Removes what is old and not in use; each thing with whether it is gone.

    Nothing of a job that hasn't ended is touched, and no link is followed.
    """
    return (
        *_records(keeping, now, dry_run),
        *_caches(keeping, now, dry_run),
        *_leftovers(keeping, now, dry_run),
    )


def _records(keeping: Keeping, now: datetime, dry_run: bool) -> Iterable[Removal]:
    kept = []
    for job_id in keeping.folders.ids():
        try:
            artifact = keeping.folders.open(job_id).artifact()
        except RunnerError:
            continue
        finished_at = None if artifact is None else artifact.finished_at
        kept.append(KeptRecord(job_id, finished_at))
    for job_id in choose_expired_artifacts(kept, now=now, max_age=keeping.records_max_age):
        folder = keeping.folders.open(job_id)
        size = _size(folder.path)
        yield Removal("record", job_id, size, _act(folder.expire, dry_run))


def _caches(keeping: Keeping, now: datetime, dry_run: bool) -> Iterable[Removal]:
    entries = [
        Cached("checkout", f"{one.key}/{one.sha}", one.size_bytes, one.last_used, in_use=False)
        for one in keeping.checkouts.entries()
    ]
    entries += [
        Cached("mirror", one.key, one.size_bytes, one.last_used, in_use=False)
        for one in keeping.mirrors.entries()
    ]
    chosen = choose_evictions(
        entries, now=now, max_age=keeping.cache_max_age, max_bytes=keeping.cache_max_bytes
    )
    in_use: set[str] = set()
    for entry in chosen:
        done = False
        if not dry_run and entry.mirror_key not in in_use:
            key, _, sha = entry.key.partition("/")
            if entry.kind == "checkout":
                done = keeping.checkouts.evict(key, sha)
            else:
                done = keeping.mirrors.evict(key)
            if not done:
                in_use.add(entry.mirror_key)  # a checkout that stays reads its mirror's objects
        yield Removal(entry.kind, entry.key, entry.size_bytes, done)


def _leftovers(keeping: Keeping, now: datetime, dry_run: bool) -> Iterable[Removal]:
    """What killed processes left, trees put away long ago, copies of wrappers that changed since."""
    folders = keeping.folders
    if not dry_run:
        keeping.checkouts.sweep()  # what killed builds left
    for folder in sorted((*keeping.scratch.iterdir(), *folders.root.glob(".*"))):
        nobodys = not is_job_id(folder.name) and _age(folder, now) > _ABANDONED
        if nobodys or _has_ended(folders, folder.name):
            yield _remove("scratch", folder, dry_run)
    for folder in sorted(keeping.quarantine.iterdir()):
        if _age(folder, now) > keeping.records_max_age:
            yield _remove("quarantine", folder, dry_run)
    if any(folders.open(job_id).was_begun() for job_id in folders.ids()):
        return  # a running job may have an older copy in view
    for folder in sorted(keeping.wrappers.iterdir()):
        if folder.name != keeping.current_wrappers:
            size = _size(folder)
            gone = _act(partial(remove, folder), dry_run)
            yield Removal("wrappers", folder.name, size, gone)


def _remove(kind: str, folder: Path, dry_run: bool) -> Removal:
    return Removal(kind, folder.name, _size(folder), _act(partial(remove, folder), dry_run))


def _age(folder: Path, now: datetime) -> timedelta:
    """How long nothing has come into ``folder``, or gone from it."""
    return now - datetime.fromtimestamp(folder.lstat().st_mtime, UTC)


def _has_ended(folders: JobFolders, name: str) -> bool:
    try:
        return folders.open(name).artifact() is not None
    except RunnerError:
        return False


def _act(remove_it: Callable[[], object], dry_run: bool) -> bool:
    if dry_run:
        return False
    try:
        remove_it()
    except (OSError, BusyError):
        return False
    return True


def _size(folder: Path) -> int:
    """Bytes on disk below ``folder``, links not followed; of what is too deep to name, nothing."""
    total, waiting = 0, [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
    return total
