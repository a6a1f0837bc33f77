"""Folders that belong to one user alone, and a socket's path that is short enough."""

import hashlib
import os
import stat
from pathlib import Path

from runner.errors import UnavailableError

_LONGEST_SOCKET_PATH = 107  # sun_path has 108 bytes, one of them the final NUL (unix(7))
_SOCKET_NAME = "redis.sock"


def socket_path(data_root: Path, *, uid: int, runtime_root: Path | None) -> Path:
    """Where the server of ``data_root`` listens: the same answer for everybody who asks.

    Args:
        data_root: The server's data; every spelling of one folder gives the same socket.
        uid: Whose server it is.
        runtime_root: The user's own runtime folder (``$XDG_RUNTIME_DIR``), if there is one; one
            that is too long is passed over.
    """
    digest = hashlib.sha256(os.fsencode(data_root.resolve())).hexdigest()[:12]
    if runtime_root is not None:
        path = runtime_root / f"aiops-{digest}" / _SOCKET_NAME
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
    # fixed, since all users of one server must come to the same answer whatever their TMPDIR
    return Path("/tmp", f"aiops-{uid}-{digest}", _SOCKET_NAME)  # noqa: S108


def make_private(folder: Path, *, uid: int) -> None:
    """Makes ``folder`` a folder that only ``uid`` can look into, or refuses it.

    In a folder that everybody may write to, like ``/tmp``, somebody else can be first with the
    name: with a folder of their own, or a link to one. What is there is therefore looked at,
    never followed and never taken over.

    Raises:
        UnavailableError: ``RUNTIME_FOLDER_UNSAFE``: somebody else's, not a folder, or open to
            others' writes. ``REDIS_UNAVAILABLE``: it can't be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            _refuse_foreign(folder, uid)
        # by descriptor: what was looked at is what is changed
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(fd, 0o700)
        finally:
            os.close(fd)
    except OSError as error:
        raise UnavailableError(
            "REDIS_UNAVAILABLE",
            f"the folder {folder} can't be made: {error.strerror}",
            remedy="make its parent writable, or set AIOPS_STATE_DIR to a folder that is",
        ) from error


def _refuse_foreign(folder: Path, uid: int) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        what = "it isn't a folder"
    elif found.st_uid != uid:
        what = f"it belongs to uid {found.st_uid}, expected {uid}"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        what = f"others may write to it (mode {stat.S_IMODE(found.st_mode):04o})"
    else:
        return
    raise UnavailableError(
        "RUNTIME_FOLDER_UNSAFE",
        f"{folder} can't be trusted: {what}",
        remedy="find out who made it, remove it, and try again",
    )
