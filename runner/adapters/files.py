"""Durable writes: a reader sees the old file or the new one, also after power loss.

Source of the procedure: rename(2), fsync(2) *Notes* (a new name is durable only after the
folder that holds it has been synced as well).
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

_AT_ONCE = 8


def sync_folder(folder: Path) -> None:
    """Makes the names in ``folder`` durable."""
    _sync(folder, os.O_DIRECTORY)  # its last part may be a link: it is the operator's choice


def sync_all(paths: Sequence[Path]) -> None:
    """Makes files' content and folders' names durable, several at once.

    Each fsync(2) waits for the disk to empty its cache, and for whoever else writes; those that
    wait together wait once. One after the other took six times as long on a busy disk.

    Raises:
        OSError: one of them may not be durable.
    """
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for _ in pool.map(_sync, paths):
            pass


@contextmanager
def written_aside(path: Path, data: bytes, *, mode: int) -> Iterator[Path]:
    """A new file beside ``path`` that holds ``data``, not durable yet; gone again afterwards.

    Whoever moves or links it to its place first makes it durable.

    Raises:
        OSError: nothing is left.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        write_new(aside, data, mode=mode)
        yield aside
    finally:
        aside.unlink(missing_ok=True)


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Makes the file ``path``, not durable yet.

    Raises:
        FileExistsError: something is there already.
        OSError: part of it may be there.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(fd, "wb") as file:
        file.write(data)


def replace_durably(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Puts ``data`` at ``path``, whatever was there.

    Raises:
        OSError: nothing was changed at ``path``.
    """
    with written_aside(path, data, mode=mode) as aside:
        _sync(aside)
        os.replace(aside, path)
    sync_folder(path.parent)


def create_durably(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Puts ``data`` at ``path`` if nothing is there: of two callers, one wins.

    Raises:
        FileExistsError: something is there already; it stays as it is.
        OSError: nothing was changed at ``path``.
    """
    with written_aside(path, data, mode=mode) as aside:
        _sync(aside)
        os.link(aside, path, follow_symlinks=False)
    sync_folder(path.parent)


def _sync(path: Path, flags: int = os.O_NOFOLLOW) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
