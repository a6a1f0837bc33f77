"""A job's log streams on disk: written under a cap, and put in order afterwards.

For the stream ``stdout.log`` (offsets always count the whole stream):

- under the cap: ``stdout.log`` is the stream.
- over the cap, while the job runs: ``stdout.log`` is the head, and the newest part lies in
  rotating segments ``stdout.log.tail.<head bytes>.<offset where the segment begins>``.
- once closed: ``stdout.log`` is head, one marker line, tail; ``stdout.log.closed`` holds the
  ``LogRecord`` until the record of the job is sealed, which then says the same.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from pydantic import ValidationError

from runner.model.artifact import LogRecord

MIN_SEGMENT_BYTES = 1024 * 1024
_BLOCK = 1024 * 1024
_CLOSED = ".closed"


def marker(dropped_bytes: int) -> bytes:
    """The line that stands in a kept log where ``dropped_bytes`` of the stream were left out."""
    return b"\n[ai-ops-runner: %d bytes left out]\n" % dropped_bytes


def segments(path: Path) -> list[tuple[int, int, Path]]:
    """The tail segments of the log at ``path``: (head bytes, stream offset, file), in order."""
    prefix = f"{path.name}.tail."
    found = []
    for name in os.listdir(path.parent):
        head, _, start = name.removeprefix(prefix).partition(".")
        if name.startswith(prefix) and head.isdecimal() and start.isdecimal():
            found.append((int(head), int(start), path.parent / name))
    return sorted(found)


def closed_record(path: Path) -> LogRecord | None:
    """What the pump wrote down when it closed the log at ``path``; null if it didn't."""
    try:
        text = path.with_name(path.name + _CLOSED).read_bytes()
        return LogRecord.model_validate_json(text)
    except (FileNotFoundError, ValidationError):  # torn by a power cut: as good as absent
        return None


class CappedLog:
    """One stream, written as it comes: all of it counted and hashed, head and tail kept.

    A full disk doesn't stop the job: what can't be kept is dropped, and counted as such.

    Attributes:
        write_error: The last error that the disk gave; null normally.
    """

    def __init__(self, path: Path, cap_bytes: int) -> None:
        """Begins the log at ``path``, which must not exist, keeping at most ``cap_bytes``.

        Raises:
            OSError: the file can't be made.
        """
        self.write_error: OSError | None = None
        self._path = path
        self._cap = cap_bytes
        self._head_cap = cap_bytes // 2
        self._segment_cap = max(cap_bytes - self._head_cap, MIN_SEGMENT_BYTES)
        self._head_fd = _create(path)
        self._whole = hashlib.sha256()
        self._total = self._head_bytes = self._segment_bytes = 0
        self._head_open = True
        self._rotated = False
        self._segment_fd: int | None = None

    def write(self, data: bytes | memoryview) -> None:
        """Takes the next part of the stream. Never raises for what the disk says."""
        view = memoryview(data)
        self._whole.update(view)
        if self._head_open:
            part = view[: self._head_cap - self._head_bytes]
            kept = self._put(self._head_fd, part)
            self._head_bytes += kept
            self._total += kept
            self._head_open = kept == len(part) and self._head_bytes < self._head_cap
            view = view[kept:]
        while view:
            view = view[self._write_tail(view) :]

    def close(self) -> LogRecord:
        """Ends the stream, puts the kept file together and says what is known of it."""
        os.close(self._head_fd)
        self._close_segment()
        kept_tail = 0
        digest = kept_digest = self._whole.hexdigest()
        if self._total > self._head_bytes:
            try:
                kept_tail = _assemble(self._path, self._head_bytes, self._total, self._cap)
            except OSError as error:
                self.write_error = error
                _keep_head_alone(self._path, self._head_bytes, self._total)
            kept_digest = _digest(self._path)
        record = _record(
            self._path, self._head_bytes, kept_tail, self._total, kept_digest, whole=digest
        )
        with contextlib.suppress(OSError):  # only a convenience to followers and to recovery
            # in one write, and half of it is as good as none: that costs no second name
            fd = _create(self._path.with_name(self._path.name + _CLOSED))
            with open(fd, "wb", buffering=0) as note:
                note.write(record.model_dump_json().encode())
        if self._rotated:
            _discard_segments(self._path)
        return record

    def _write_tail(self, view: memoryview) -> int:
        if self._segment_fd is None or self._segment_bytes >= self._segment_cap:
            self._rotate()
        part = view[: self._segment_cap - self._segment_bytes]
        if self._segment_fd is not None and self._put(self._segment_fd, part) == len(part):
            self._segment_bytes += len(part)
        else:
            self._close_segment()
            _discard_segments(self._path)  # with a hole in it, the tail's offsets would lie
        self._total += len(part)
        return len(part)

    def _rotate(self) -> None:
        self._close_segment()
        self._rotated = True
        for _, _, older in segments(self._path)[:-1]:
            older.unlink(missing_ok=True)
        name = f"{self._path.name}.tail.{self._head_bytes}.{self._total}"
        try:
            self._segment_fd = _create(self._path.with_name(name))
        except OSError as error:
            self.write_error = error

    def _close_segment(self) -> None:
        if self._segment_fd is not None:
            os.close(self._segment_fd)
        self._segment_fd, self._segment_bytes = None, 0

    def _put(self, fd: int, data: memoryview) -> int:
        """Writes what the disk takes of ``data`` and says how much that was."""
        done = 0
        try:
            while done < len(data):
                done += os.write(fd, data[done:])
        except OSError as error:
            self.write_error = error
        return done


def recover_log(path: Path, cap_bytes: int | None = None) -> LogRecord:
    """Puts in order the log of a job whose pump may have died, and says what is known of it.

    Where the pump still closed the log, that is all of it; else the whole stream's digest is
    null and its length is what had reached the disk. May be called again and again. A log that
    never began is an empty one.

    Raises:
        OSError: the disk.
    """
    path.touch(mode=0o600)
    closed = closed_record(path)
    if closed is not None and _digest(path) == closed.kept_sha256:
        _discard_segments(path)
        return closed
    parts = segments(path)
    if not parts:
        size = path.stat().st_size
        return _record(path, size, 0, size, _digest(path), whole=None)
    head_bytes, start, newest = parts[-1]
    total = start + newest.stat().st_size
    kept_tail = 0
    try:
        kept_tail = _assemble(path, head_bytes, total, cap_bytes)
    except OSError:
        _keep_head_alone(path, head_bytes, total)
    record = _record(path, head_bytes, kept_tail, total, _digest(path), whole=None)
    path.with_name(path.name + _CLOSED).write_text(record.model_dump_json())
    _discard_segments(path)
    return record


def _record(
    path: Path, head_bytes: int, kept_tail: int, total: int, kept_digest: str, whole: str | None
) -> LogRecord:
    dropped = total - head_bytes - kept_tail
    return LogRecord(
        path=path.name,
        bytes=total,
        sha256=whole,
        kept_sha256=kept_digest,
        truncated=dropped > 0,
        dropped_bytes=dropped,
        head_bytes=head_bytes if dropped else total,
    )


def _assemble(path: Path, head_bytes: int, total: int, cap_bytes: int | None) -> int:
    """Makes ``path`` head, marker, tail from its segments; says how long the tail is.

    Interrupted, it can be done again: the segments stay, and name where the head ends.
    """
    run: list[tuple[int, Path]] = []
    begin = total
    for _, start, part in reversed(segments(path)):
        if start + part.stat().st_size != begin:
            break
        run.insert(0, (start, part))
        begin = start
    if cap_bytes is not None:
        begin = max(begin, total - max(cap_bytes - head_bytes, cap_bytes // 2))
    begin = max(begin, head_bytes)
    with open(path, "r+b") as kept:
        kept.truncate(head_bytes)
        kept.seek(head_bytes)
        if begin > head_bytes:
            kept.write(marker(begin - head_bytes))
        for start, part in run:
            with open(part, "rb") as source:
                source.seek(max(0, begin - start))
                while block := source.read(_BLOCK):
                    kept.write(block)
    return total - begin


def _keep_head_alone(path: Path, head_bytes: int, total: int) -> None:
    """What is left to do where the disk has no room even for the tail that it already holds."""
    os.truncate(path, head_bytes)
    _discard_segments(path)
    line = marker(total - head_bytes)
    try:
        with open(path, "ab", buffering=0) as kept:
            kept.write(line)
    except OSError:
        os.truncate(path, head_bytes)


def _discard_segments(path: Path) -> None:
    for _, _, part in segments(path):
        part.unlink(missing_ok=True)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
