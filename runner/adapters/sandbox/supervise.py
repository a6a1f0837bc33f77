"""Runs a contained job to its end: pumps both logs, keeps the deadline, stops it, reaps it."""

import os
import selectors
import time
from collections.abc import Callable

from runner.adapters.sandbox.backend import Contained
from runner.model.sandbox import ProcessExit, Stop

_CHUNK = 1 << 18
_LOOK_AROUND_S = 0.1
_REAP_S = 30.0

Sink = Callable[[bytes], object]


class _Pump:
    """Moves what is readable from the two log pipes to their sinks."""

    def __init__(self, sinks: dict[int, Sink]) -> None:
        self._sinks = sinks
        self.selector = selectors.DefaultSelector()
        for fd in sinks:
            self.selector.register(fd, selectors.EVENT_READ)

    def move(self, fd: int) -> bool:
        """Moves what is there; whether there was anything."""
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._sinks[fd](data)
        else:
            self.selector.unregister(fd)
        return bool(data)

    def drain(self) -> None:
        """Reads what is left in both pipes after the end."""
        for fd in self._sinks:
            while fd in self.selector.get_map() and self.move(fd):
                pass

    def close(self) -> None:
        self.selector.close()


def supervise(
    contained: Contained,
    *,
    stdout: Sink,
    stderr: Sink,
    timeout_s: float,
    grace_s: float,
    output_limit_bytes: int,
    should_stop: Callable[[], Stop | None],
) -> ProcessExit:
    """How the job ended, after nothing of it was alive any more.

    The job gets SIGTERM when its time is over or ``should_stop`` answers, and is killed
    ``grace_s`` seconds later. Both are looked at every 100 ms; the logs are moved at once.

    Args:
        contained: A started sandbox that waits for ``go``.
        stdout: Takes each piece of standard output.
        stderr: Takes each piece of standard error.
        timeout_s: From ``go`` to SIGTERM.
        grace_s: From SIGTERM to SIGKILL.
        output_limit_bytes: What the job may write where the kernel doesn't bound it.
        should_stop: Asked regularly; an answer ends the job.
    """
    pump = _Pump({contained.stdout_fd: stdout, contained.stderr_fd: stderr})
    pump.selector.register(contained.exit_fd, selectors.EVENT_READ)
    started = time.monotonic()
    deadline = started + timeout_s
    kill_at = float("inf")
    look_at = started + _LOOK_AROUND_S
    stopped: Stop | None = None
    try:
        contained.go()
        ended = False
        while not ended:
            now = time.monotonic()
            for key, _ in pump.selector.select(max(0.0, min(look_at, kill_at, deadline) - now)):
                if key.fd == contained.exit_fd:
                    ended = True
                else:
                    pump.move(int(key.fd))
            now = time.monotonic()
            if ended or now < min(look_at, kill_at, deadline):
                continue
            look_at = now + _LOOK_AROUND_S
            if stopped is None:
                stopped = _stop_reason(contained, now >= deadline, output_limit_bytes, should_stop)
                if stopped is not None:
                    deadline, kill_at = float("inf"), now + grace_s
                    contained.terminate()
            elif now >= kill_at:
                kill_at = float("inf")
                contained.kill()
        duration_ms = round((time.monotonic() - started) * 1000)
        death = contained.reap(_REAP_S)
        pump.drain()
    finally:
        pump.close()
    code = death.exit_code
    return ProcessExit(
        exit_code=code,
        signal=code - 128 if code is not None and 128 < code <= 192 else None,
        stopped=stopped,
        duration_ms=duration_ms,
        orphans=death.orphans,
        proven_dead=death.proven,
        death_proof=contained.death_proof,
        sandbox_error=death.error,
    )


def _stop_reason(
    contained: Contained,
    timed_out: bool,
    output_limit_bytes: int,
    should_stop: Callable[[], Stop | None],
) -> Stop | None:
    if timed_out:
        return Stop.TIMEOUT
    if contained.output_bytes() > output_limit_bytes:
        return Stop.OUTPUT_LIMIT
    return should_stop()
