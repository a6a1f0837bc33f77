"""What the wrappers folder holds, by hash."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from runner.errors import ConfigurationError


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
        root = _resolved(folder)
        for parent, folders, files in os.walk(root, onerror=_raise):
            for name in (*folders, *files):
                path = Path(parent, name)
                relative = _relative_name(path, root)
                if name in folders:
                    if path.is_symlink():
                        raise _refused(path, "a link to a folder")
                    continue
                digests[relative], may_run = _read(path, root)
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


def _resolved(path: Path) -> Path:
    # Not Path.resolve: for links in a circle that raises RuntimeError before Python 3.13.
    return Path(os.path.realpath(path, strict=True))


def _raise(error: OSError) -> None:
    raise error


def _refused(path: Path, what: str) -> ConfigurationError:
    message = f"{str(path)!a}: {what}, expected only files and folders of the folder's own"
    return ConfigurationError("WRAPPERS_INVALID", message)


def _relative_name(path: Path, root: Path) -> str:
    relative = path.relative_to(root).as_posix()
    if not relative.isprintable():
        raise _refused(path, "a name with a character that can't be shown")
    return relative


def _read(path: Path, root: Path) -> tuple[str, bool]:
    """The sha256 of a file and whether anybody may execute it."""
    real = _resolved(path)
    if not real.is_relative_to(root):
        raise _refused(path, "a link that leaves the folder")
    fd = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise _refused(path, "neither a file nor a folder")
        return hashlib.file_digest(file, "sha256").hexdigest(), bool(mode & 0o111)
