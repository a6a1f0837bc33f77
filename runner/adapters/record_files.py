"""Reading a record that came from anywhere: nothing is followed, nothing blocks, all is bounded."""

import hashlib
import importlib.resources
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import IntegrityError, NotFoundError

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_ENTRIES = 4_000_000
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True)
class Found:
    """A file, or anything else but a folder, below a record's folder.

    Attributes:
        path: Relative, with ``/``; bytes that aren't UTF-8 as ``os.fsdecode`` gives them.
        is_file: Whether it is a regular file.
        size: In bytes.
        inode: What tells it apart; two names of one file share it.
    """

    path: str
    is_file: bool
    size: int
    inode: int


def listing(folder: Path) -> dict[str, Found]:
    """Everything but folders below ``folder``, by path.

    Raises:
        NotFoundError: ``RECORD_UNKNOWN``: there is no such folder.
        IntegrityError: ``RECORD_INVALID``: it holds more than any record, or a folder in it
            can't be looked into or lies deeper than a path can say.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise NotFoundError("RECORD_UNKNOWN", f"{folder}: no folder of a job's record")
    found = {}
    try:
        for entry in _walk(folder):
            found[entry.path] = entry
            if len(found) > MAX_ENTRIES:
                raise IntegrityError("RECORD_INVALID", f"{folder}: more than {MAX_ENTRIES} entries")
    except OSError as error:
        raise IntegrityError(
            "RECORD_INVALID", f"a folder can't be listed: {error.strerror}"
        ) from error
    return found


def read_document(folder: Path, name: str) -> bytes:
    """The bytes of a document directly in ``folder``.

    Raises:
        FileNotFoundError: there is none.
        IntegrityError: ``RECORD_INVALID``: it isn't a regular file, or too large for one.
    """
    try:
        fd = os.open(folder / name, _FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise IntegrityError("RECORD_INVALID", f"{name}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)  # before a file object is made of it, which a folder can't be
        raise IntegrityError("RECORD_INVALID", f"{name}: not a regular file")
    with open(fd, "rb") as file:
        data = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise IntegrityError("RECORD_INVALID", f"{name}: over {MAX_DOCUMENT_BYTES} bytes")
    return data


def digests(folder: Path, found: dict[str, Found]) -> dict[str, str]:
    """sha256 of each regular file of ``found``, by path.

    Raises:
        IntegrityError: ``RECORD_UNREADABLE``: a file can't be read.
    """
    made = {}
    for path, entry in found.items():
        if not entry.is_file:
            continue
        try:
            with open(os.open(folder / path, _FLAGS), "rb") as file:
                made[path] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise IntegrityError("RECORD_UNREADABLE", f"{path}: {error.strerror}") from error
    return made


def published_schema(name: str) -> bytes:
    """The bytes of a JSON Schema that this version publishes, such as ``artifact``."""
    return importlib.resources.files("runner.schemas").joinpath(f"{name}.schema.json").read_bytes()


def _walk(folder: Path) -> Iterator[Found]:
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{path}/")
                    continue
                seen = entry.stat(follow_symlinks=False)
                yield Found(path, stat.S_ISREG(seen.st_mode), seen.st_size, seen.st_ino)
