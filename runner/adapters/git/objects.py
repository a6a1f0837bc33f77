"""Objects of a mirror, read through one git process that stays alive, hashed by ourselves.

Git doesn't verify what it reads when it checks out: an object file with other content than its
name promises is delivered without a word. So every body that is used is hashed here (the form
of an object is in gitformat-pack(5) and the Git book, *Git Objects*).
"""

import contextlib
import fcntl
import hashlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from runner.adapters.git.config import object_format_of
from runner.adapters.git.process import GitProcess
from runner.errors import IntegrityError, UnavailableError

# Requests in flight fill at most half of their pipe, whatever its size is (pipe(7): a user who has
# many pipes gets one page), so writing them never blocks while git waits for us to read.
_REQUEST_BYTES = 65
_WINDOW = 500
_CHUNK = 1 << 20


class Found(NamedTuple):
    """What an id stands for; ``kind`` is empty where there is no such object."""

    oid: str
    kind: str
    size: int


class ObjectReader:
    """A ``git cat-file --batch`` on one mirror. For one thread at a time."""

    def __init__(self, git: GitProcess, git_dir: Path) -> None:
        self._git = git
        self._process = git.start("cat-file", "--batch", git_dir=git_dir)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin
        self._answers = self._process.stdout
        self._left = 0
        self._ended = False
        room = fcntl.fcntl(self._requests, fcntl.F_GETPIPE_SZ)
        self._window = min(_WINDOW, room // 2 // _REQUEST_BYTES)
        with contextlib.suppress(OSError):  # a wish: the limit is per user, pipe(7)
            fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, 1 << 20)

    def kind(self, oid: str) -> str:
        """``commit``, ``tree``, ``blob`` or ``tag``; empty where there is no such object."""
        with self.limited():
            (kind,) = [found.kind for found in self.each([oid])]
        return kind

    def body(self, oid: str, kind: str) -> bytes:
        """The verified content of ``oid``, which must be a ``kind``.

        Raises:
            IntegrityError: ``OBJECT_CORRUPT``.
        """
        with self.limited():
            (body,) = [self.verified(found, kind) for found in self.each([oid])]
        return body

    def each(self, oids: Sequence[str]) -> Iterator[Found]:
        """What each id stands for, in order; its content may then be taken, or is passed over.

        Who stops before the last one ends this reader: answers would be left in the pipe.

        Raises:
            IntegrityError: ``OBJECT_CORRUPT``: git can't read the object.
        """
        sent = answered = 0
        try:
            for oid in oids:
                if sent - answered <= self._window // 2 and sent < len(oids):
                    batch = oids[sent : answered + self._window]
                    self._send(batch)
                    sent += len(batch)
                yield self._answer(oid)
                self._pass_over()
                answered += 1
        finally:
            if answered < len(oids):
                self._kill()

    def verified(self, found: Found, kind: str) -> bytes:
        """The content of the object that ``each`` has just named, hashed.

        Raises:
            IntegrityError: ``OBJECT_CORRUPT``: it is missing, of another kind, or not what its
                id promises.
        """
        return b"".join(self.chunks(found, kind))

    def chunks(self, found: Found, kind: str) -> Iterator[bytes]:
        """Like ``verified``, in pieces: after the last one the hash has been compared.

        Raises:
            IntegrityError: as ``verified``, possibly after pieces were handed out.
        """
        if found.kind != kind:
            got = found.kind or "no object"
            raise IntegrityError("OBJECT_CORRUPT", f"{found.oid}: got {got}, expected a {kind}")
        digest = hashlib.new(object_format_of(found.oid), usedforsecurity=False)
        digest.update(f"{kind} {found.size}\0".encode())
        while self._left > 1:
            piece = self._answers.read(min(self._left - 1, _CHUNK))
            if not piece:
                raise _unreadable(found.oid)
            self._left -= len(piece)
            digest.update(piece)
            yield piece
        if digest.hexdigest() != found.oid:
            raise IntegrityError(
                "OBJECT_CORRUPT",
                f"the mirror's {kind} {found.oid} has the hash {digest.hexdigest()}",
                remedy="remove the mirror; the next job fetches it again",
            )

    @contextlib.contextmanager
    def limited(self) -> Iterator[None]:
        """Ends git if the block takes longer than a git call may.

        Raises:
            UnavailableError: ``GIT_TIMEOUT``.
        """
        expired = threading.Event()

        def end() -> None:
            expired.set()
            self._kill()

        timer = threading.Timer(self._git.timeout_s, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except IntegrityError as error:
            if not expired.is_set():
                raise
            raise UnavailableError(
                "GIT_TIMEOUT", f"reading objects took longer than {self._git.timeout_s:g} s"
            ) from error
        finally:
            timer.cancel()

    @property
    def alive(self) -> bool:
        """Whether git is still there to answer."""
        return not self._ended and self._process.poll() is None

    def close(self) -> None:
        """Ends git, and waits for its end."""
        self._kill()
        for pipe in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.wait()

    def _kill(self) -> None:
        self._ended = True
        if self._process.returncode is None:  # else its number may be somebody else's by now
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _send(self, oids: Sequence[str]) -> None:
        try:
            self._requests.write("".join(f"{oid}\n" for oid in oids).encode("ascii"))
            self._requests.flush()
        except OSError as error:
            raise _unreadable(oids[0]) from error

    def _answer(self, oid: str) -> Found:
        line = self._answers.readline().decode("ascii", "replace").split()
        if line == [oid, "missing"]:
            return Found(oid, "", 0)
        if len(line) != 3 or line[0] != oid or not line[2].isdecimal():
            raise _unreadable(oid)
        self._left = int(line[2]) + 1  # a newline follows the content
        return Found(oid, line[1], int(line[2]))

    def _pass_over(self) -> None:
        while self._left:
            piece = self._answers.read(min(self._left, _CHUNK))
            if not piece:
                raise IntegrityError("OBJECT_CORRUPT", "git ended within an object")
            self._left -= len(piece)


def _unreadable(oid: str) -> IntegrityError:
    return IntegrityError(
        "OBJECT_CORRUPT",
        f"git can't read {oid} from the mirror",
        remedy="remove the mirror; the next job fetches it again",
    )
