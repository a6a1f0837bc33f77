"""The files of a review bundle or of review packets, written and read."""

import os
import stat
import tarfile
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WAITING = 8
_RUN_BYTES = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS
ARCHIVE_FOLDER = "review_packets"


def put(folder: Path, name: str, data: bytes) -> None:
    """Makes the file ``name`` in ``folder``.

    Raises:
        FileExistsError: something is there already, be it a link.
        OSError: it couldn't be written whole.
    """
    fd = os.open(folder / name, _NEW, 0o644)
    with open(fd, "wb") as file:
        file.write(data)


class Archive:
    """A ``.tar.gz`` that is compressed beside what fills it. The same files give the same bytes.

    Only the headers are :mod:`tarfile`'s: handing runs of many files to zlib, which works without
    the interpreter's lock, is what lets the second core take part. (A thread for the packets'
    files as well made it slower: their calls into the kernel are short, and each one then waits
    for the lock.)

    Args:
        path: Doesn't exist; nor does it afterwards, if its block or the last of it fails.

    Raises:
        OSError: from any method, and from leaving its block: it couldn't be written whole.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(os.open(path, _NEW, 0o644), "wb")  # noqa: SIM115  # closed in __exit__
        # fastest: what is in it is read once, and a slower level costs more than the disk does
        self._zip = zlib.compressobj(level=1, wbits=_GZIP)
        self._run: list[bytes] = []
        self._run_bytes = 0
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._pending: deque[Future[None]] = deque()

    def add(self, name: str, data: bytes) -> None:
        """Adds one file."""
        self._begin(name, len(data))
        self._put(data)
        self._end(len(data))

    def add_file(self, name: str, path: Path) -> None:
        """Adds the file at ``path``, which is read in pieces."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            self._begin(name, size)
            while block := file.read(_RUN_BYTES):
                self._put(block)
            self._end(size)

    def _begin(self, name: str, size: int) -> None:
        info = tarfile.TarInfo(f"{ARCHIVE_FOLDER}/{name}")
        info.size = size
        info.mode = 0o644
        # the GNU form: USTAR ends at 8 GiB a file, and pax adds a header that holds times
        self._put(info.tobuf(tarfile.GNU_FORMAT))

    def _end(self, size: int) -> None:
        self._put(bytes(-size % tarfile.BLOCKSIZE))

    def _put(self, data: bytes) -> None:
        self._run.append(data)
        self._run_bytes += len(data)
        if self._run_bytes >= _RUN_BYTES:
            self._flush()

    def _flush(self) -> None:
        run, self._run, self._run_bytes = b"".join(self._run), [], 0
        self._pending.append(self._pool.submit(self._compress, run))
        self._wait_for_all_but(_WAITING)

    def _wait_for_all_but(self, count: int) -> None:
        while len(self._pending) > count:
            self._pending.popleft().result()

    def _compress(self, run: bytes) -> None:
        self._file.write(self._zip.compress(run))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        whole = False
        try:
            with self._file:
                if error is None:
                    self._put(bytes(2 * tarfile.BLOCKSIZE))
                    self._flush()
                    self._wait_for_all_but(0)
                    self._file.write(self._zip.flush())
            whole = error is None
        finally:
            self._pool.shutdown(cancel_futures=True)
            if not whole:
                self._path.unlink(missing_ok=True)


class PacketFolder:
    """A folder of packets that somebody made: hostile input, read through one descriptor.

    Args:
        path: The folder; a link is not followed.

    Raises:
        OSError: it isn't there, or isn't a folder.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def names(self) -> frozenset[str]:
        """What lies in it."""
        return frozenset(os.listdir(self._fd))

    def size(self, name: str) -> int:
        """How many bytes the regular file ``name`` has.

        Raises:
            ValueError: there is none, or it is something else.
        """
        with self.open(name) as file:
            return os.fstat(file.fileno()).st_size

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """The content of the regular file ``name``.

        Raises:
            ValueError: there is none, it is something else, or it is larger.
        """
        with self.open(name) as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise ValueError(f"{name} has {size} bytes, expected at most {max_bytes}")
            return file.read(max_bytes)

    def open(self, name: str) -> BinaryIO:
        """The regular file ``name``, to be read.

        Raises:
            ValueError: there is none, or it is something else.
        """
        if "/" in name or name in ("", ".", ".."):
            raise ValueError(f"got the name {name!r}, expected one of a file of the folder")
        try:
            fd = os.open(name, _OLD, dir_fd=self._fd)
        except OSError as error:
            raise ValueError(f"{name}: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise ValueError(f"{name} isn't a regular file")
        return os.fdopen(fd, "rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)
