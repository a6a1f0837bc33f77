"""Log streams: everything is counted and hashed, head and tail are kept, disks may fill up."""

import hashlib
import os
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.adapters.log_files import CappedLog, marker, recover_log, writing
from tests.support.forked import in_child


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a test rotate segments without writing megabytes."""
    monkeypatch.setattr(writing, "MIN_SEGMENT_BYTES", 1)


def test_a_stream_under_the_cap_is_kept_as_it_is(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "stdout.log", 100)
    log.write(b"one\n")
    log.write(memoryview(b"two\n"))
    record = log.close()
    assert (tmp_path / "stdout.log").read_bytes() == b"one\ntwo\n"
    assert record.sha256 == record.kept_sha256 == hashlib.sha256(b"one\ntwo\n").hexdigest()
    assert (record.bytes, record.truncated, record.head_bytes) == (8, False, 8)


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("extra", [0, 1])
def test_exactly_the_cap_is_kept_whole_and_one_byte_more_is_not(tmp_path: Path, extra: int) -> None:
    log = CappedLog(tmp_path / "stdout.log", 101)
    log.write(b"x" * (101 + extra))
    assert log.close().truncated == bool(extra)


@given(
    chunks=st.lists(st.binary(max_size=40), max_size=30), cap=st.integers(min_value=2, max_value=60)
)
def test_what_is_kept_is_the_streams_head_and_tail(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], cap: int
) -> None:
    """With any cap and chunks: head + marker + tail, digests and counts of the whole."""
    path = tmp_path_factory.mktemp("log") / "stdout.log"
    stream = b"".join(chunks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "MIN_SEGMENT_BYTES", 1)
        log = CappedLog(path, cap)
        for chunk in chunks:
            log.write(chunk)
        record = log.close()
    dropped = max(0, len(stream) - cap)
    head, tail = cap // 2, cap - cap // 2
    kept = stream if not dropped else stream[:head] + marker(dropped) + stream[-tail:]
    assert path.read_bytes() == kept
    assert record.sha256 == hashlib.sha256(stream).hexdigest()
    assert record.kept_sha256 == hashlib.sha256(kept).hexdigest()
    assert (record.bytes, record.dropped_bytes) == (len(stream), dropped)
    assert sorted(os.listdir(path.parent)) == ["stdout.log", "stdout.log.closed"]


def test_a_log_is_not_begun_where_something_lies(tmp_path: Path) -> None:
    (tmp_path / "stdout.log").symlink_to("/etc/passwd")
    with pytest.raises(FileExistsError):
        CappedLog(tmp_path / "stdout.log", 100)


def test_disk_use_stays_bounded_however_much_is_written(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "stdout.log", 4 * 1024 * 1024)
    block = b"y" * 1024 * 1024
    most = 0
    for _ in range(64):
        log.write(block)
        most = max(most, sum(entry.stat().st_size for entry in tmp_path.iterdir()))
    assert most <= 6 * 1024 * 1024
    assert log.close().bytes == 64 * 1024 * 1024


def _log_on_a_small_disk(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    log = CappedLog(folder / "stdout.log", 100_000)
    for _ in range(100):
        log.write(b"z" * 100)
    record = log.close()
    assert log.write_error is not None
    assert (record.bytes, record.head_bytes, record.dropped_bytes) == (10_000, 3000, 7000)
    assert record.sha256 == hashlib.sha256(b"z" * 10_000).hexdigest()
    kept = (folder / "stdout.log").read_bytes()
    assert record.kept_sha256 == hashlib.sha256(kept).hexdigest()
    assert kept.startswith(b"z" * 3000)


def test_a_disk_that_takes_no_more_stops_neither_the_count_nor_the_digest(tmp_path: Path) -> None:
    in_child(lambda: _log_on_a_small_disk(tmp_path))


@pytest.mark.usefixtures("small_segments")
def test_the_log_of_a_dead_pump_is_put_in_order(tmp_path: Path) -> None:
    """Killed after 300 of the stream's bytes had reached the disk, head and tail remain."""
    stream = bytes(range(256)) + bytes(44)

    def pump() -> None:
        log = CappedLog(tmp_path / "stdout.log", 100)
        for start in range(0, 300, 10):
            log.write(stream[start : start + 10])
        os.kill(os.getpid(), signal.SIGKILL)

    in_child(pump, killed=True)
    record = recover_log(tmp_path / "stdout.log", 100)
    kept = stream[:50] + marker(200) + stream[-50:]
    assert (tmp_path / "stdout.log").read_bytes() == kept
    assert record.sha256 is None
    assert record.kept_sha256 == hashlib.sha256(kept).hexdigest()
    assert (record.bytes, record.dropped_bytes, record.truncated) == (300, 200, True)
    assert recover_log(tmp_path / "stdout.log", 100) == record


@pytest.mark.usefixtures("small_segments")
def test_putting_in_order_can_be_interrupted_and_done_again(tmp_path: Path) -> None:
    stream = b"".join(b"%04d\n" % n for n in range(100))
    path = tmp_path / "stdout.log"
    path.write_bytes(stream[:50] + b"\n[ai-ops-runner: 3")  # half a marker
    (tmp_path / "stdout.log.tail.50.400").write_bytes(stream[400:450])
    (tmp_path / "stdout.log.tail.50.450").write_bytes(stream[450:])
    record = recover_log(path, 100)
    assert path.read_bytes() == stream[:50] + marker(400) + stream[-50:]
    assert (record.bytes, record.dropped_bytes) == (500, 400)


def test_a_log_that_the_pump_closed_is_recovered_with_its_digest(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "stdout.log", 100)
    log.write(b"q" * 5000)
    assert recover_log_after(log, tmp_path) == hashlib.sha256(b"q" * 5000).hexdigest()


def recover_log_after(log: CappedLog, folder: Path) -> str | None:
    """The whole stream's digest by recovery, which must agree with the pump in everything."""
    closed = log.close()
    recovered = recover_log(folder / "stdout.log", 100)
    assert recovered == closed
    return recovered.sha256


def test_a_log_that_never_began_is_an_empty_one(tmp_path: Path) -> None:
    record = recover_log(tmp_path / "stderr.log")
    assert (record.bytes, record.truncated) == (0, False)
    assert (tmp_path / "stderr.log").read_bytes() == b""
