"""A private folder for as long as one job runs."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def private_folder(root: Path, name: str) -> Iterator[Path]:
    """An empty folder in ``root/name``, passable by a job's uid, gone afterwards.

    Its own name can't be guessed or listed: under Landlock another job of the same uid that could
    name it could change its modes, since that needs no open file. What a killed predecessor left
    under ``root/name`` is removed first.
    """
    folder = root / name
    remove(folder)
    inner = folder / secrets.token_hex(16)
    try:
        for made in (folder, inner):
            made.mkdir()
            made.chmod(0o711)
        yield inner
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Removes ``folder`` and everything below it, whatever modes and depth a job left there.

    Links are removed, not followed. Nobody else may be writing there any more.
    """
    try:
        folder.rmdir()  # mostly there is none, or nothing in it
    except FileNotFoundError:
        return
    except OSError:
        if folder.is_symlink() or not folder.is_dir():
            raise  # before its modes are changed, which would follow the link
    else:
        return
    folder.chmod(0o700)
    root = os.open(folder, _FOLDER)
    try:
        _empty(root)
    finally:
        os.close(root)
    folder.rmdir()


def _empty(root: int) -> None:
    """Removes everything in ``root``, at any depth.

    A folder is moved up to ``root`` before it is emptied, so that neither recursion, nor open
    descriptors, nor the length of a path end it: a few thousand levels are made in an instant,
    and ``shutil.rmtree`` gives up at a thousand.
    """
    aside = f".removing-{secrets.token_hex(8)}-"
    waiting = _strip(root, root, aside, 0)
    moved = len(waiting)
    while waiting:
        name = waiting.pop()
        folder = os.open(name, _FOLDER, dir_fd=root)
        try:
            below = _strip(folder, root, aside, moved)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=root)
        moved += len(below)
        waiting += below


def _strip(folder: int, root: int, aside: str, moved: int) -> list[str]:
    """Removes what is in ``folder`` but folders, which go to ``root``; their names there."""
    names: list[str] = []
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=folder)
            continue
        os.chmod(entry.name, 0o700, dir_fd=folder)
        names.append(f"{aside}{moved + len(names)}")
        os.rename(entry.name, names[-1], src_dir_fd=folder, dst_dir_fd=root)
    return names
