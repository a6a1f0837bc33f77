"""Which folders on the way to a place are closed to a uid that owns nothing."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_ANYBODY_MAY_PASS = 0o001


@dataclass(frozen=True)
class Closed:
    """A folder that a job's uid can't pass, and what the job needs below it."""

    folder: Path
    needed: tuple[Path, ...]


def closed_folders(needed: Iterable[Path]) -> tuple[Closed, ...]:
    """The outermost closed folders above ``needed``, none of which lies in another.

    A path with a link on its way counts twice: as it is written, and as it resolves.
    """
    below: dict[Path, list[Path]] = {}
    for path in needed:
        for way in dict.fromkeys((path, Path(os.path.realpath(path)))):
            folder = _outermost_closed(way)
            if folder is not None:
                below.setdefault(folder, []).append(way)
    return tuple(Closed(folder, tuple(dict.fromkeys(ways))) for folder, ways in below.items())


def _outermost_closed(path: Path) -> Path | None:
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & _ANYBODY_MAY_PASS:
            return folder
    return None
