"""How fast a job's output is kept under a cap, counted and hashed, and in how much memory."""

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from benchmarks.ground import Ground, Scale
from benchmarks.table import NotMeasuredError, Row, interleaved
from runner.adapters.log_files import CappedLog
from runner.adapters.sandbox.backend import Death
from runner.adapters.sandbox.supervise import supervise
from runner.model.sandbox import Evidence

CAP_BYTES = 8 << 20
_LINE = "a line of a job's output, as long as such lines are"
_SCRIPT = f'yes "{_LINE}" | head -c "$1"'
_CHUNK = 1 << 18


def measure(ground: Ground, scale: Scale) -> Iterator[Row]:
    big, small = scale.megabytes, max(1, scale.megabytes // 4)
    taken = interleaved(
        {"ours": lambda: _pumped(ground.folder, big), "theirs": lambda: _hashed(big)},
        rounds=max(scale.big, 2),
    )
    yield Row(
        "log pump",
        taken["ours"] / big * 1000,
        taken["theirs"] / big * 1000,
        "ms/MB",
        "the same pipe, only hashed",
        most=10,
        note=f"{big / taken['ours']:,.0f} MB/s against {big / taken['theirs']:,.0f}",
    )
    peaks = interleaved(
        {"small": lambda: _peak(ground.folder, small), "big": lambda: _peak(ground.folder, big)},
        rounds=1,
    )
    yield Row(
        f"memory while {big:,} MB are pumped",
        peaks["big"],
        peaks["small"],
        "MB",
        f"while {small:,} MB are",
        goal=1.1,
        note=f"{max(0.0, peaks['big'] - peaks['small']):.1f} MB more",
    )


class _Piped:
    """An unconfined process in the form that ``supervise`` watches."""

    evidence = Evidence(mounts=())
    outputs_fd = -1
    death_proof: Literal["pid-namespace", "subreaper", "none"] = "none"

    def __init__(self, megabytes: int) -> None:
        self._process = _writer(megabytes)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stdout_fd = self._process.stdout.fileno()
        self.stderr_fd = self._process.stderr.fileno()
        self.exit_fd = os.pidfd_open(self._process.pid)
        for fd in (self.stdout_fd, self.stderr_fd):
            os.set_blocking(fd, False)

    def go(self) -> None: ...

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def reap(self, timeout_s: float) -> Death:
        return Death(self._process.wait(timeout_s), None, proven=True)

    def output_bytes(self) -> int:
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        os.close(self.exit_fd)
        self._process.__exit__(None, None, None)


def _writer(megabytes: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ("/bin/sh", "-c", _SCRIPT, "writer", str(megabytes * 1_000_000)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )


def _pumped(folder: Path, megabytes: int) -> float:
    stdout = CappedLog(folder / "stdout.log", CAP_BYTES)
    stderr = CappedLog(folder / "stderr.log", CAP_BYTES)
    started = time.perf_counter()
    with _Piped(megabytes) as piped:
        supervise(
            piped,
            stdout=stdout.write,
            stderr=stderr.write,
            timeout_s=600,
            grace_s=1,
            output_limit_bytes=1,
            should_stop=lambda: None,
        )
    record = stdout.close()
    stderr.close()
    taken = time.perf_counter() - started
    for left in (*folder.glob("stdout.log*"), *folder.glob("stderr.log*")):
        left.unlink()
    if record.bytes != megabytes * 1_000_000:
        raise RuntimeError(f"{record.bytes} bytes arrived of {megabytes} MB")
    return taken


def _hashed(megabytes: int) -> float:
    digest = hashlib.sha256()
    started = time.perf_counter()
    with _writer(megabytes) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(_CHUNK):
            digest.update(piece)
    digest.hexdigest()
    return time.perf_counter() - started


def _peak(folder: Path, megabytes: int) -> float:
    """The most memory that this process had meanwhile, in MB (proc(5), ``clear_refs``)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError as error:
        raise NotMeasuredError(f"this kernel doesn't reset the peak of memory: {error}") from error
    _pumped(folder, megabytes)
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000
