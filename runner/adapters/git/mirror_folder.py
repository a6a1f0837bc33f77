"""The folder of a mirror: a bare repository in which nothing but what we put there counts."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from runner.adapters.files import replace_durably
from runner.adapters.git.config import ObjectFormat, mirror_config
from runner.adapters.git.remote import KEEP
from runner.adapters.scratch import remove

_ORIGIN = "origin.txt"  # for a person, and for the list of mirrors; git doesn't read it
_KEY = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)

# What git would obey if it were there. Nothing of ours ever makes one of these.
_PLANTED = (
    "shallow",
    "config.worktree",
    "commondir",
    "info/grafts",
    "objects/info/alternates",
    "objects/info/http-alternates",
)


def is_key(name: str) -> bool:
    """Whether ``name`` has the form of a mirror's key."""
    return _KEY.match(name) is not None


def is_ready(folder: Path) -> bool:
    """Whether the mirror exists and is configured as we would do it: a few reads, no process."""
    try:
        config = (folder / "config").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return False
    formats: tuple[ObjectFormat, ...] = ("sha1", "sha256")
    return config in [mirror_config(name) for name in formats] and not any(
        os.path.lexists(folder / name) for name in (*_PLANTED, "hooks")
    )


def prepare(folder: Path, object_format: ObjectFormat, origin: str) -> None:
    """Makes the mirror, or makes it ours again. Only under the mirror's lock.

    What an interrupted fetch left behind goes as well: under the lock, nobody else's is there.
    """
    for name in ("", "objects", "objects/info", "objects/pack", "refs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        os.chmod(folder / name, 0o755)  # noqa: S103  (jobs read objects under another uid)
    for name in _PLANTED:
        (folder / name).unlink(missing_ok=True)
    if os.path.lexists(folder / "hooks"):
        _remove(folder / "hooks")
    for leftover in (
        *folder.glob("*.lock"),
        *(path for path in _files(folder / "refs") if path.name.endswith(".lock")),
        *(folder / "objects" / "pack").glob("tmp_*"),
        *(folder / "objects").glob("tmp_objdir-*"),
    ):
        _remove(leftover)
    _write_if_other(folder / "HEAD", b"ref: refs/heads/none\n")
    _write_if_other(folder / _ORIGIN, origin.encode("utf-8", "surrogateescape"))
    _write_if_other(folder / "config", mirror_config(object_format))


def origin_of(folder: Path) -> str:
    """The URL or path that the mirror is of; empty where that isn't known."""
    with contextlib.suppress(OSError):
        return (folder / _ORIGIN).read_bytes().decode("utf-8", "backslashreplace")
    return ""


def keep(folder: Path, sha: str) -> None:
    """Makes sure that no clean-up drops the commit: a ref of ours in git's loose form."""
    ref = folder / KEEP / sha
    if not ref.exists():
        ref.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(ref, f"{sha}\n".encode())


def is_kept(folder: Path, sha: str) -> bool:
    """Whether ``keep`` was called for the commit, and the mirror is still there."""
    return os.path.lexists(f"{folder}/{KEEP}{sha}")


def drop_keep(folder: Path, sha: str) -> None:
    """Undoes ``keep``."""
    (folder / KEEP / sha).unlink(missing_ok=True)


def size_of(folder: Path) -> int:
    """Bytes of everything below ``folder``; links count as links."""
    total = 0
    for path in _files(folder):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total


def _files(folder: Path) -> Iterator[Path]:
    """Everything below ``folder`` but folders.

    Without recursion: a ref called ``a/a/a/…`` makes more levels than Python has stack frames.
    """
    waiting = [folder]
    while waiting:
        with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    yield Path(entry.path)


def _write_if_other(path: Path, content: bytes) -> None:
    try:
        same = not path.is_symlink() and path.read_bytes() == content
    except OSError:
        same = False
    if not same:
        replace_durably(path, content)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove(path)
    else:
        path.unlink(missing_ok=True)
