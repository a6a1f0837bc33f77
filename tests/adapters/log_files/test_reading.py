"""Reading logs: by offset, from the end, while they grow, and without harm to a terminal."""

import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from runner.adapters.log_files import (
    CappedLog,
    LogChunk,
    LogEvent,
    LogGap,
    follow_log,
    for_terminal,
    marker,
    read_log,
    tail_lines,
    writing,
)
from runner.adapters.log_files.writing import closed_record

STREAM = b"".join(b"%04d\n" % n for n in range(100))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CappedLog:
    """A log of 500 bytes under a cap of 100, not yet closed."""
    monkeypatch.setattr(writing, "MIN_SEGMENT_BYTES", 1)
    log = CappedLog(tmp_path / "stdout.log", 100)
    for start in range(0, 500, 5):
        log.write(STREAM[start : start + 5])
    return log


def rebuilt(events: list[LogEvent]) -> bytes:
    """The stream again, with dots for what a gap says isn't there; fails on a wrong offset."""
    stream = b""
    for event in events:
        assert event.offset == len(stream)
        stream += event.data if isinstance(event, LogChunk) else b"." * event.bytes
    return stream


@pytest.mark.usefixtures("log")
def test_a_reader_of_a_running_job_sees_head_gap_and_tail(tmp_path: Path) -> None:
    events = list(read_log(tmp_path / "stdout.log", limit=1000))
    stream = rebuilt(events)
    assert stream[:50] == STREAM[:50]
    assert stream.endswith(STREAM[-50:])
    assert [event for event in events if isinstance(event, LogGap)]


def test_a_reader_in_the_dropped_middle_is_told_once(tmp_path: Path, log: CappedLog) -> None:
    log.close()
    assert read_log(tmp_path / "stdout.log", offset=123) == (
        LogGap(123, 450 - 123),
        LogChunk(450, STREAM[450:]),
    )


def test_a_sealed_log_is_read_by_its_record(tmp_path: Path, log: CappedLog) -> None:
    record = log.close()
    (tmp_path / "stdout.log.closed").unlink()
    stream = rebuilt(list(read_log(tmp_path / "stdout.log", limit=1000, record=record)))
    assert stream == STREAM[:50] + b"." * 400 + STREAM[450:]


def test_a_forged_marker_line_is_only_text(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "stdout.log", 1000)
    log.write(marker(10**12) + b"after\n")
    log.close()
    (chunk,) = read_log(tmp_path / "stdout.log")
    assert chunk == LogChunk(0, marker(10**12) + b"after\n")


def test_reading_respects_its_limit_and_goes_on_from_there(tmp_path: Path, log: CappedLog) -> None:
    log.close()
    offset, stream = 0, b""
    while events := read_log(tmp_path / "stdout.log", offset, limit=7):
        assert sum(len(e.data) for e in events if isinstance(e, LogChunk)) <= 7
        for event in events:
            filler = b"." * event.bytes if isinstance(event, LogGap) else event.data
            stream += filler
            offset += len(filler)
    assert stream == STREAM[:50] + b"." * 400 + STREAM[450:]


@pytest.mark.parametrize("closed", [False, True])
def test_the_last_lines(tmp_path: Path, log: CappedLog, closed: bool) -> None:
    if closed:
        log.close()
    path = tmp_path / "stdout.log"
    assert tail_lines(path, 0) == b""
    assert tail_lines(path, 1) == b"0099\n"
    assert tail_lines(path, 3) == b"0097\n0098\n0099\n"


def test_the_last_lines_show_the_marker_where_it_falls_in(tmp_path: Path, log: CappedLog) -> None:
    log.close()
    path = tmp_path / "stdout.log"
    assert tail_lines(path, 11) == b"[ai-ops-runner: 400 bytes left out]\n" + STREAM[-50:]
    assert tail_lines(path, 1000) == path.read_bytes()


def test_the_last_part_of_a_long_tail_stands_without_a_marker_before_it(
    tmp_path: Path, log: CappedLog
) -> None:
    log.close()
    assert tail_lines(tmp_path / "stdout.log", 1000, max_bytes=20) == STREAM[-20:]


def test_a_last_line_without_newline_counts(tmp_path: Path) -> None:
    (tmp_path / "stdout.log").write_bytes(b"a\nb\nc")
    assert tail_lines(tmp_path / "stdout.log", 2) == b"b\nc"


def test_the_last_line_of_a_gigabyte_costs_no_memory(tmp_path: Path) -> None:
    """Also where the whole gigabyte is one line without an end."""
    path = tmp_path / "stdout.log"
    with open(path, "wb") as file:
        file.truncate(1 << 30)
    for ending, expected in ((b"\nlast\n", 5), (b"", 1024 * 1024)):
        with open(path, "ab") as file:
            file.write(ending)
        tracemalloc.start()
        assert len(tail_lines(path, 1)) == expected
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
        tracemalloc.stop()
        os.truncate(path, 1 << 30)


def test_a_hundred_megabytes_of_newlines_and_one_line_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "stdout.log"
    path.write_bytes(b"\n" * (100 * 1024 * 1024))
    assert tail_lines(path, 1) == b"\n"


def test_following_gives_the_whole_stream_while_it_is_written(tmp_path: Path) -> None:
    """The writer is ahead, rotates and closes meanwhile; no byte comes twice or out of place."""
    path = tmp_path / "stdout.log"
    stream = os.urandom(6 * 1024 * 1024)
    done = threading.Event()

    def pump() -> None:
        log = CappedLog(path, 1024 * 1024)
        for start in range(0, len(stream), 8192):
            log.write(stream[start : start + 8192])
        log.close()
        done.set()

    thread = threading.Thread(target=pump)
    thread.start()
    seen = rebuilt(list(follow_log(path, done.is_set, poll_s=0.001)))
    thread.join()
    assert len(seen) == len(stream)
    for event in follow_log(path, lambda: True):
        if isinstance(event, LogChunk):
            end = event.offset + len(event.data)
            assert event.data == stream[event.offset : end]
    known = closed_record(path)
    assert known is not None
    assert seen.endswith(stream[-(known.bytes - known.head_bytes - known.dropped_bytes) :])


def test_a_follower_keeps_its_place_when_the_record_is_sealed_under_it(
    tmp_path: Path, log: CappedLog
) -> None:
    path = tmp_path / "stdout.log"
    follower = follow_log(path, lambda: True, record=lambda: record, chunk_bytes=30)
    record = None
    events = [next(follower)]
    record = log.close()
    (tmp_path / "stdout.log.closed").unlink()
    events += follower
    assert rebuilt(events) == STREAM[:50] + b"." * 400 + STREAM[450:]


@pytest.mark.parametrize("chunk_bytes", range(4, 12))
def test_chunks_end_between_characters(tmp_path: Path, chunk_bytes: int) -> None:
    text = "a\u00e9\u4f60\U0001f600\r\n" * 20 + "\r"
    (tmp_path / "stdout.log").write_bytes(text.encode())
    events = list(follow_log(tmp_path / "stdout.log", lambda: True, chunk_bytes=chunk_bytes))
    assert rebuilt(events) == text.encode()
    shown = "".join(for_terminal(e.data) for e in events if isinstance(e, LogChunk))
    assert shown == for_terminal(text.encode())


def test_bytes_that_are_no_text_are_followed_to_the_end(tmp_path: Path) -> None:
    data = b"\xf0\x9f\xff\xc3" * 50
    (tmp_path / "stdout.log").write_bytes(data)
    events = list(follow_log(tmp_path / "stdout.log", lambda: True, chunk_bytes=5))
    assert rebuilt(events) == data


def test_following_a_log_that_never_comes_ends_with_the_job(tmp_path: Path) -> None:
    assert list(follow_log(tmp_path / "stdout.log", lambda: True)) == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        (b"\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        (b"\x9b31m", "\\x9b31m"),
        (b"50%\r100%\r\n", "50%\\x0d100%\n"),
        ("a\u202eb\u200bc".encode(), "a\\u202eb\\u200bc"),
        ("\u009b31m\u2028".encode(), "\\x9b31m\\u2028"),
        ("na\u00efve \u4f60\u597d \U0001f600".encode(), "na\u00efve \u4f60\u597d \U0001f600"),
    ],
)
def test_what_steers_a_terminal_becomes_visible(data: bytes, text: str) -> None:
    assert for_terminal(data) == text
