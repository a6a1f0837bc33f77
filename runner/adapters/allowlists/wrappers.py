"""What the wrappers folder holds, by hash."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import ConfigurationError

_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class WrapperFiles:
    """Every file below the wrappers folder.

    Attributes:
        sha256: Of each file, by its path relative to the folder, sorted.
        executable: The paths of those with an execute bit.
    """

    sha256: dict[str, str]
    executable: frozenset[str]


def read_wrappers(folder: Path) -> WrapperFiles:
    """Hashes every file below ``folder``, compiled Python included, since jobs can see it.

    A link is taken for the file it leads to if that lies in the folder too; a link to a folder
    isn't accepted, since what is behind it could be exchanged without any hash changing.

    Raises:
        ConfigurationError: ``WRAPPERS_INVALID``: the folder is missing or unreadable, or holds a
            link that leaves it, something that is neither file nor folder, or an odd name.
    """
    digests: dict[str, str] = {}
    executable: set[str] = set()
    try:
        root = os.path.realpath(folder, strict=True)
        for relative, path in _files(root):
            digests[relative], may_run = _read(path)
            if may_run:
                executable.add(relative)
    except OSError as error:
        culprit = error.filename or folder
        raise ConfigurationError(
            "WRAPPERS_INVALID",
            f"{culprit}: {error.strerror}",
            remedy="name the wrappers folder in AIOPS_WRAPPERS_DIR",
        ) from error
    return WrapperFiles(dict(sorted(digests.items())), frozenset(executable))


def _files(root: str) -> Iterator[tuple[str, str]]:
    """Relative name of each file below ``root``, and where it really lies."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(os.path.join(root, prefix)) as entries:
            for entry in entries:
                relative = prefix + entry.name
                if not relative.isprintable():
                    raise _refused(entry.path, "a name with a character that can't be shown")
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{relative}/")
                elif entry.is_symlink():
                    yield relative, _target(entry, root)
                else:
                    yield relative, entry.path


def _target(link: os.DirEntry[str], root: str) -> str:
    # Not Path.resolve: for links in a circle that raises RuntimeError before Python 3.13.
    real = os.path.realpath(link.path, strict=True)
    if os.path.isdir(real):
        raise _refused(link.path, "a link to a folder")
    if os.path.commonpath((real, root)) != root:
        raise _refused(link.path, "a link that leaves the folder")
    return real


def _refused(path: str, what: str) -> ConfigurationError:
    message = f"{path!a}: {what}, expected only files and folders of the folder's own"
    return ConfigurationError("WRAPPERS_INVALID", message)


def _read(path: str) -> tuple[str, bool]:
    """The sha256 of a file and whether anybody may execute it."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise _refused(path, "neither a file nor a folder")
        digest = hashlib.sha256()
        while block := os.read(fd, _BLOCK):
            digest.update(block)
        return digest.hexdigest(), bool(mode & 0o111)
    finally:
        os.close(fd)
