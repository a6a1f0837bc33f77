"""Collecting what a job left in ``$ARTIFACT_DIR``: hostile input, taken with tongs.

Only regular files are copied; nothing is followed. Every name is opened relative to the
descriptor of its folder (openat(2), ``O_NOFOLLOW``), so that no path is resolved that a job
could have bent, and what was opened is looked at again before and after it is read.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import UnavailableError
from runner.model.artifact import OutputFile, RefusedOutput
from runner.model.media_types import media_type
from runner.model.shown import shown

FOLDER = "outputs"
MAX_REFUSED = 100
_MAX_PATH_BYTES = 1024
_BLOCK = 1024 * 1024
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True)
class Collected:
    """What was collected, sorted by path, what was refused, and which limit was hit, if one was.

    Attributes:
        limit_hit: ``output_files`` or ``output_bytes``; empty normally.
    """

    outputs: tuple[OutputFile, ...]
    refused: tuple[RefusedOutput, ...]
    limit_hit: str


class _RefusedError(Exception):
    """Why one entry isn't collected."""


class _EnoughError(Exception):
    """There are more entries than will be looked at."""


def collect(
    outputs_fd: int,
    destination: Path,
    *,
    max_files: int,
    max_bytes: int,
    max_depth: int = 32,
    max_name_bytes: int = 255,
) -> Collected:
    """Copies a dead job's outputs to ``destination``, hashing them on the way.

    Args:
        outputs_fd: The folder that was ``$ARTIFACT_DIR``.
        destination: Of the runner's own; emptied first, so that an interrupted collection can
            be done again.
        max_files: How many files to take. The rest isn't looked at.
        max_bytes: How many bytes to take in all, by apparent size. What is larger than what is
            left is refused; smaller files after it are still taken.
        max_depth: How many folders deep a file may lie.
        max_name_bytes: How long one name may be.

    Raises:
        UnavailableError: ``DISK_FULL``: nothing was kept, and the space is free again.
        OSError: the folder itself can't be read, or ``destination`` not be written.
    """
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(destination)
    destination.mkdir(mode=0o700)
    work = _Collection(destination, max_files, max_bytes, max_depth, max_name_bytes)
    root = _open_root(outputs_fd)
    try:
        with contextlib.suppress(_EnoughError):
            work.take_folder(root, "", 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        shutil.rmtree(destination, ignore_errors=True)
        raise UnavailableError(
            "DISK_FULL",
            f"no space left for the outputs in {destination}",
            remedy="free space on that file system, or run: runner gc",
        ) from error
    finally:
        os.close(root)
    return work.result()


class _Collection:
    def __init__(
        self, destination: Path, max_files: int, max_bytes: int, max_depth: int, max_name: int
    ) -> None:
        self._destination = destination
        self._max_files, self._bytes_left = max_files, max_bytes
        self._max_depth, self._max_name = max_depth, max_name
        # Folders and refused entries cost time as well, so what is looked at is bounded too.
        self._entries_left = 2 * max_files + 1000
        self._outputs: list[OutputFile] = []
        self._refused: list[RefusedOutput] = []
        self._refused_more = 0
        self._limit_hit = ""

    def result(self) -> Collected:
        refused = sorted(self._refused, key=lambda entry: entry.path)
        if self._refused_more:
            refused.append(RefusedOutput(path="…", why=f"and {self._refused_more} more"))
        outputs = sorted(self._outputs, key=lambda output: output.path)
        return Collected(tuple(outputs), tuple(refused), self._limit_hit)

    def take_folder(self, folder: int, prefix: str, depth: int) -> None:
        for name in _names(folder):
            self._entries_left -= 1
            if self._entries_left < 0:
                self._limit_hit = "output_files"
                raise _EnoughError
            path = prefix + name
            try:
                self._take(folder, name, path, depth)
            except _RefusedError as why:
                self._refuse(path, str(why))

    def _take(self, folder: int, name: str, path: str, depth: int) -> None:
        self._check_name(name, path)
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            raise _RefusedError(f"it can't be looked at: {error.strerror}") from error
        if stat.S_ISDIR(found.st_mode):
            if depth >= self._max_depth:
                raise _RefusedError(f"more than {self._max_depth} folders deep")
            inner = _open(folder, name, _FOLDER_FLAGS, found)
            try:
                self.take_folder(inner, f"{path}/", depth + 1)
            finally:
                os.close(inner)
            return
        if not stat.S_ISREG(found.st_mode):
            raise _RefusedError(_KINDS.get(stat.S_IFMT(found.st_mode), "not a regular file"))
        if found.st_nlink != 1:
            raise _RefusedError(f"a hard link: the file has {found.st_nlink} names")
        if found.st_size > self._bytes_left:
            self._limit_hit = self._limit_hit or "output_bytes"
            raise _RefusedError(f"{found.st_size} bytes, and {self._bytes_left} were left to take")
        if len(self._outputs) >= self._max_files:
            self._limit_hit = "output_files"
            raise _EnoughError
        source = _open(folder, name, _FILE_FLAGS, found)
        try:
            digest = self._copy(source, path, found)
        finally:
            os.close(source)
        self._bytes_left -= found.st_size
        self._outputs.append(
            OutputFile(
                path=f"{FOLDER}/{path}",
                size_bytes=found.st_size,
                sha256=digest,
                media_type=media_type(name),
            )
        )

    def _check_name(self, name: str, path: str) -> None:
        try:
            size = len(name.encode())
        except UnicodeEncodeError as error:
            raise _RefusedError("its name isn't UTF-8") from error
        if shown(name) != name:
            raise _RefusedError("its name holds characters that don't show, or deceive")
        if size > self._max_name:
            raise _RefusedError(f"its name is longer than {self._max_name} bytes")
        if len(path.encode()) > _MAX_PATH_BYTES:
            raise _RefusedError(f"its path is longer than {_MAX_PATH_BYTES} bytes")

    def _copy(self, source: int, path: str, found: os.stat_result) -> str:
        target = self._destination / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(target, flags, 0o600), "wb", buffering=0) as copy:
            while block := os.read(source, min(_BLOCK, found.st_size - size + 1)):
                size += len(block)
                if size > found.st_size:
                    break  # it grew: the check below says so
                digest.update(block)
                rest = memoryview(block)
                while rest:
                    rest = rest[copy.write(rest) :]
        if size != found.st_size or _identity(os.fstat(source)) != _identity(found):
            target.unlink()
            raise _RefusedError("it changed while it was read")
        return digest.hexdigest()

    def _refuse(self, path: str, why: str) -> None:
        if len(self._refused) >= MAX_REFUSED:
            self._refused_more += 1
            return
        name = shown(path)
        self._refused.append(RefusedOutput(path=name[:300] + "…" * (len(name) > 300), why=why))


def _names(folder: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry.name


def _identity(found: os.stat_result) -> tuple[int, ...]:
    """What stays the same about a file that nobody touches; the first three say which it is."""
    return (
        found.st_dev,
        found.st_ino,
        stat.S_IFMT(found.st_mode),
        found.st_nlink,
        found.st_size,
        found.st_mtime_ns,
    )


def _open_root(outputs_fd: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(".", flags, dir_fd=outputs_fd)
    except PermissionError:  # the job took its owner's permission, and its owner is who we are
        os.chmod(f"/proc/self/fd/{outputs_fd}", 0o700)
        return os.open(".", flags, dir_fd=outputs_fd)


def _open(folder: int, name: str, flags: int, found: os.stat_result) -> int:
    """Opens exactly what ``found`` describes, also where the job took the owner's permission."""
    try:
        fd = os.open(name, flags, dir_fd=folder)
    except PermissionError:
        fd = _reopen_with_permission(folder, name, flags, found)
    except OSError as error:
        raise _RefusedError(f"it can't be opened: {error.strerror}") from error
    if _identity(os.fstat(fd))[:3] != _identity(found)[:3]:
        os.close(fd)
        raise _RefusedError("it was replaced while it was looked at")
    if flags & os.O_DIRECTORY and found.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        with contextlib.suppress(OSError):  # readable but not searchable: its files will say so
            os.fchmod(fd, stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
    return fd


def _reopen_with_permission(folder: int, name: str, flags: int, found: os.stat_result) -> int:
    try:
        pin = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise _RefusedError(f"it can't be opened: {error.strerror}") from error
    try:
        pinned = os.fstat(pin)
        if _identity(pinned)[:3] != _identity(found)[:3] or pinned.st_uid != os.geteuid():
            raise _RefusedError("it can't be opened: Permission denied")
        # Through /proc, since fchmod(2) refuses an O_PATH descriptor; it can't be redirected.
        os.chmod(f"/proc/self/fd/{pin}", stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        raise _RefusedError(f"it can't be opened: {error.strerror}") from error
    finally:
        os.close(pin)
