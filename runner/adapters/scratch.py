"""A private folder for as long as one job runs."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def private_folder(root: Path, name: str) -> Iterator[Path]:
    """An empty folder ``root/name``, passable by a job's uid, gone afterwards.

    What a killed predecessor left under that name is removed first.
    """
    folder = root / name
    remove(folder)
    folder.mkdir()
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Removes ``folder`` and everything below it, whatever modes a job left there.

    Links are removed, not followed. Nobody else may be writing there any more.
    """
    if not folder.exists():
        return
    for place, names, _ in os.walk(folder):  # top down, so that each is open before it is entered
        for name in names:
            inner = Path(place, name)
            if not inner.is_symlink():
                with contextlib.suppress(OSError):
                    inner.chmod(0o700)
    shutil.rmtree(folder)
