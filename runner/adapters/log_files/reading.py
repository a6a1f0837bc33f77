"""Reading a job's log: a part by offset, the last lines, or as it grows.

Offsets count the whole stream, also where its middle wasn't kept: a reader who comes to the
hole is told once how many bytes it has. ``writing`` says how a log lies on disk.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from runner.adapters.log_files.writing import closed_record, marker, segments
from runner.model.artifact import LogRecord
from runner.model.shown import shown

_POLL_S = 0.05
_BLOCK = 64 * 1024
_ATTEMPTS = 20
_T = TypeVar("_T")


class LogChunk(NamedTuple):
    """A part of the stream that was kept: where it begins, and its bytes."""

    offset: int
    data: bytes


class LogGap(NamedTuple):
    """A part of the stream that wasn't kept: where it begins, and how many bytes it had."""

    offset: int
    bytes: int


LogEvent = LogChunk | LogGap


class _Piece(NamedTuple):
    """``length`` bytes of the stream from ``offset`` on lie in ``file`` from ``at`` on."""

    file: Path
    at: int
    offset: int
    length: int


def read_log(
    path: Path, offset: int = 0, limit: int = _BLOCK, record: LogRecord | None = None
) -> tuple[LogEvent, ...]:
    """What stands in the log from ``offset`` on, at most ``limit`` bytes of it.

    Args:
        path: Of the kept file.
        offset: Into the whole stream.
        limit: How many kept bytes to read at most; a gap costs none.
        record: The log's entry in the sealed record, where there is one.

    Raises:
        FileNotFoundError: there is no such log.
    """
    return _settled(path, lambda: _read_once(path, offset, limit, lambda: record))


def follow_log(
    path: Path,
    ended: Callable[[], bool],
    *,
    offset: int = 0,
    record: Callable[[], LogRecord | None] = lambda: None,
    chunk_bytes: int = _BLOCK,
    poll_s: float = _POLL_S,
) -> Iterator[LogEvent]:
    """The stream from ``offset`` on, as it grows, until ``ended`` and everything is read.

    Chunks end between characters where they can, so that each can be shown by itself.

    Args:
        path: Of the kept file; it needn't exist yet.
        ended: Whether nothing more will be written. Asked only after everything was read.
        offset: Where to begin, or to go on after a lost connection.
        record: The log's entry in the sealed record as soon as there is one; sealing removes
            what says the same on disk.
        chunk_bytes: The largest chunk.
        poll_s: How often to look; the standard library can't wait for a file to grow.
    """
    last_look = False
    while True:
        try:
            events = _settled(path, partial(_read_once, path, offset, chunk_bytes, record))
        except FileNotFoundError:
            events = ()
        for event in _ended_between_characters(events):
            yield event
            offset = _end(event)
        if events:
            continue
        if last_look:
            return
        last_look = ended()  # what was written before it ended is read by one more look
        if not last_look:
            time.sleep(poll_s)


def tail_lines(
    path: Path, lines: int, *, record: LogRecord | None = None, max_bytes: int = 1024 * 1024
) -> bytes:
    """The last ``lines`` lines of what was kept, with the marker line where it falls in.

    Seeks from the end and reads no more than ``max_bytes``: a line without an end comes back
    as its last part.

    Raises:
        FileNotFoundError: there is no such log.
    """
    if lines < 1:
        return b""
    return _settled(path, lambda: _tail_once(path, lines, max_bytes, lambda: record))


def for_terminal(data: bytes) -> str:
    """``data`` as text that can't steer a terminal: only newline and tab act, the rest shows.

    A carriage return before a newline is dropped; any other would overwrite its line and shows.
    """
    text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    return shown(text, keep="\n\t")


def _end(event: LogEvent) -> int:
    return event.offset + (len(event.data) if isinstance(event, LogChunk) else event.bytes)


def _ended_between_characters(events: tuple[LogEvent, ...]) -> tuple[LogEvent, ...]:
    """``events`` without a few last bytes that the next look will find with what follows them."""
    last = events[-1] if events else None
    if not isinstance(last, LogChunk):
        return events
    kept = last.data[: len(last.data) - _unfinished(last.data)]
    return (*events[:-1], LogChunk(last.offset, kept or last.data))


def _unfinished(data: bytes) -> int:
    """How many bytes at the end only begin a UTF-8 character or a line's end (RFC 3629)."""
    if data.endswith(b"\r"):
        return 1
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
        if byte < 0x80:
            return 0
    return 0


def _settled(path: Path, look: Callable[[], _T]) -> _T:
    """What ``look`` finds, again if the pump rotated a segment away from under it."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            return look()
        if not path.exists():
            break
    return look()


def _read_once(
    path: Path, offset: int, limit: int, record: Callable[[], LogRecord | None]
) -> tuple[LogEvent, ...]:
    events: list[LogEvent] = []
    for piece in _pieces(path, record):
        if limit <= 0:
            break
        if piece.offset > offset:
            events.append(LogGap(offset, piece.offset - offset))
            offset = piece.offset
        if piece.offset + piece.length <= offset:
            continue
        data = _read(piece, offset - piece.offset, limit)
        last = events[-1] if events else None
        if isinstance(last, LogChunk):
            events[-1] = LogChunk(last.offset, last.data + data)
        elif data:
            events.append(LogChunk(offset, data))
        offset += len(data)
        limit -= len(data)
    return tuple(events)


def _tail_once(
    path: Path, lines: int, max_bytes: int, record: Callable[[], LogRecord | None]
) -> bytes:
    blocks: list[bytes] = []
    newlines = size = 0
    next_offset: int | None = None
    for piece in reversed(_pieces(path, record)):
        end = piece.offset + piece.length
        if next_offset is not None and end < next_offset and newlines <= lines:
            blocks.append(marker(next_offset - end))
            newlines += 2
        next_offset = piece.offset
        left = piece.length
        # One newline more than lines: the last line's own doesn't begin a line.
        while left and newlines <= lines and size < max_bytes:
            step = min(left, _BLOCK, max_bytes - size)
            left -= step
            blocks.append(_read(piece, left, step))
            size += step
            newlines += blocks[-1].count(b"\n")
        if left:
            break
    text = b"".join(reversed(blocks))
    end = len(text) - text.endswith(b"\n")
    for _ in range(lines):
        end = text.rfind(b"\n", 0, end)
        if end < 0:
            return text
    return text[end + 1 :]


def _read(piece: _Piece, skip: int, length: int) -> bytes:
    with open(piece.file, "rb", buffering=0) as file:
        file.seek(piece.at + skip)
        return file.read(min(length, piece.length - skip))


def _pieces(path: Path, record: Callable[[], LogRecord | None]) -> list[_Piece]:
    """Which file holds which part of the stream.

    The order of looking keeps the answer true while the pump writes and the record is sealed:
    a size found first belongs to a bare head unless one of the later looks says otherwise, and
    the closing note goes only after the sealed record has come.
    """
    size = path.stat().st_size
    parts = segments(path)
    closed = closed_record(path)
    known = record() or closed
    if known is not None and known.truncated:
        begin = known.head_bytes + known.dropped_bytes
        tail = known.bytes - begin
        head = _Piece(path, 0, 0, known.head_bytes)
        return [head, _Piece(path, path.stat().st_size - tail, begin, tail)]
    if known is not None:
        return [_Piece(path, 0, 0, known.bytes)]
    if not parts:
        return [_Piece(path, 0, 0, size)]
    tails = [_Piece(part, 0, start, part.stat().st_size) for _, start, part in parts]
    return [_Piece(path, 0, 0, parts[0][0]), *tails]
