"""The folders of the state, each with the mode that keeps others out of it."""

import stat
from pathlib import Path

from runner.errors import ConfigurationError
from runner.model.state import StatePaths

# A job's uid must be able to pass through to its checkout, and to list nothing on the way.
_PASSABLE = 0o711
_PRIVATE = 0o700
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def prepare_state(paths: StatePaths, uid: int) -> None:
    """Makes every folder that isn't there yet, and refuses those that others could get into.

    Keys, locks, trusted keys, Redis's data, records and quarantine are the owner's alone. What a
    job of another uid must reach can be passed through where the runner is root; for any other
    user, whose jobs run under the same uid, all of it is private. A folder that was there before
    keeps its mode: a setting may name one that isn't only ours (/srv, /tmp).

    Raises:
        ConfigurationError: ``STATE_DIR_UNUSABLE``: a folder can't be made, is a link, belongs to
            somebody else, or is open to others, with the remedy.
    """
    passable = _PASSABLE if uid == 0 else _PRIVATE
    for folder in (
        paths.root,
        paths.mirrors,
        paths.checkouts.parent,
        paths.checkouts,
        paths.scratch,
        paths.wrappers,
    ):
        _prepare(folder, passable, uid, private=False)
    for folder in (
        paths.artifacts,
        paths.locks,
        paths.keys,
        paths.redis,
        paths.trust,
        paths.quarantine,
    ):
        _prepare(folder, _PRIVATE, uid, private=True)


def first_impassable(folder: Path) -> Path | None:
    """The outermost of ``folder`` and its parents that another uid can't pass through, if any.

    By the mode bits alone (path_resolution(7)): access lists may allow or forbid more.
    """
    for step in (*reversed(folder.parents), folder):
        if not step.stat().st_mode & stat.S_IXOTH:
            return step
    return None


def _prepare(folder: Path, mode: int, uid: int, *, private: bool) -> None:
    try:
        _make(folder, mode, uid)
        found = folder.lstat()
    except OSError as error:
        raise _unusable(folder, error.strerror or "it can't be used") from error
    if not stat.S_ISDIR(found.st_mode):
        raise _unusable(folder, "it is a link or a file, expected a folder")
    if found.st_uid != uid:
        raise _unusable(folder, f"it belongs to uid {found.st_uid}, expected uid {uid}")
    if found.st_mode & (_OTHERS if private else _OTHERS_WRITE):
        why = f"its mode is {stat.S_IMODE(found.st_mode):o}, which lets others in"
        remedy = f"chmod {mode:o} {folder}, or name another folder"
        raise ConfigurationError("STATE_DIR_UNUSABLE", f"{folder}: {why}", remedy=remedy)


def _make(folder: Path, mode: int, uid: int) -> None:
    if folder.is_symlink() or folder.exists():
        return
    if not folder.parent.exists():
        _make(folder.parent, _PASSABLE if uid == 0 else _PRIVATE, uid)
    try:
        folder.mkdir(mode=_PRIVATE)
    except FileExistsError:
        return  # another process of ours was faster; what is there now gets looked at
    folder.chmod(mode)  # not by mkdir: the umask would take bits away


def _unusable(folder: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        "STATE_DIR_UNUSABLE",
        f"{folder}: {why}",
        remedy="name a folder of your own in AIOPS_STATE_DIR",
    )
