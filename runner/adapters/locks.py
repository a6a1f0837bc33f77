"""File locks between processes and threads (flock(2)), in a folder that no job can see.

A job can take a shared lock on any file that it may read, so a lock never stands on something
that a job sees.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import BusyError


@contextmanager
def locked(path: Path, *, exclusive: bool, blocking: bool = True) -> Iterator[int]:
    """Holds the lock at ``path``, which is made if it isn't there; yields its descriptor.

    Who holds it may remove the file: others that were waiting for the old one notice, and
    take the new one instead.

    Raises:
        BusyError: ``LOCK_HELD``: somebody else holds it and ``blocking`` is false.
    """
    how = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if blocking else fcntl.LOCK_NB)
    fd = _take(path, how)
    try:
        yield fd
    finally:
        os.close(fd)


def _take(path: Path, how: int) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, how)
            if _is_still(path, fd):
                return fd
        except BlockingIOError as error:
            os.close(fd)
            raise BusyError("LOCK_HELD", f"{path.name} is in use") from error
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _is_still(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except FileNotFoundError:
        return False
