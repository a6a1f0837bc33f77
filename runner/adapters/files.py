"""Durable writes: a reader sees the old file or the new one, also after power loss.

Source of the procedure: rename(2), fsync(2) *Notes* (a new name is durable only after the
folder that holds it has been synced as well).
"""

import os
import secrets
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Makes the names in ``folder`` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_aside(path: Path, data: bytes, mode: int) -> Path:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return aside


def replace_durably(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Puts ``data`` at ``path``, whatever was there.

    Raises:
        OSError: nothing was changed at ``path``.
    """
    aside = _write_aside(path, data, mode)
    os.replace(aside, path)
    sync_folder(path.parent)


def create_durably(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Puts ``data`` at ``path`` if nothing is there: of two callers, one wins.

    Raises:
        FileExistsError: something is there already; it stays as it is.
        OSError: nothing was changed at ``path``.
    """
    aside = _write_aside(path, data, mode)
    try:
        os.link(aside, path, follow_symlinks=False)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)
