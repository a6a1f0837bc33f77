"""Reads what the prologue says from inside a sandbox, before the job's own code has run."""

import os
import re
import select
import time

from runner.errors import IntegrityError, UnavailableError
from runner.model.sandbox import Evidence, MountEvidence
from runner.model.shown import shown

_FIRST_LINE = b"aiops-evidence 1"
_LAST_LINE = b"ready"
_MAX_BYTES = 4 * 1024 * 1024  # some hosts have thousands of mounts
_OCTAL = re.compile(rb"\\([0-7]{3})")


def read_evidence(
    fd: int, expected_paths: tuple[str, ...], timeout_s: float = 10.0
) -> tuple[Evidence, dict[str, tuple[str, str]]]:
    """Which writes were refused, and each mount point → (root, options) where the prologue tells.

    Nothing of the job's output is consumed: the prologue is the only writer until it is told to
    go on, which is after this. That the lines are the prologue's own is sure for the same reason.

    Args:
        fd: Read end of the sandbox's standard output.
        expected_paths: Every place that must be seen to refuse a write; none may be missing.
        timeout_s: How long the prologue may take.

    Raises:
        IntegrityError: ``SANDBOX_FAILED``: a write went through, or a place wasn't tried.
        UnavailableError: ``SANDBOX_UNAVAILABLE``: the prologue ended early, or didn't answer.
    """
    lines = _lines_until_ready(fd, time.monotonic() + timeout_s)
    if lines[0] != _FIRST_LINE:
        raise UnavailableError(
            "SANDBOX_UNAVAILABLE",
            f"got {shown(lines[0][:200])!r} from the prologue, expected its first line",
        )
    refused: set[str] = set()
    mounts: dict[str, tuple[str, str]] = {}
    for line in lines[1:]:
        word, _, rest = line.partition(b" ")
        if word == b"refused":
            refused.add(os.fsdecode(rest))
        elif word == b"mount":
            point, root, options = _mount(rest)
            mounts[point] = (root, options)
    for path in expected_paths:
        if path not in refused:
            raise IntegrityError(
                "SANDBOX_FAILED", f"the prologue has no evidence that {shown(path)} is read-only"
            )
    seen = tuple(MountEvidence(path=path, write_refused=True) for path in expected_paths)
    return Evidence(mounts=seen), mounts


def _lines_until_ready(fd: int, deadline: float) -> list[bytes]:
    """The prologue's lines, without the last one."""
    said = b""
    while not said.endswith(b"\n" + _LAST_LINE + b"\n"):
        left = deadline - time.monotonic()
        ready, _, _ = select.select([fd], [], [], max(0.0, left))
        piece = os.read(fd, 65536) if ready else b""
        said += piece
        for line in said.split(b"\n")[:-1]:
            if line.startswith(b"written "):
                path = shown(line.removeprefix(b"written "))
                raise IntegrityError("SANDBOX_FAILED", f"{path} could be written to")
        if not piece or len(said) > _MAX_BYTES:
            why = "ended" if ready else "didn't answer in time"
            last = said.rstrip(b"\n").rpartition(b"\n")[2][-200:]
            raise UnavailableError(
                "SANDBOX_UNAVAILABLE", f"the prologue {why}; its last line was {shown(last)!r}"
            )
    return said.split(b"\n")[:-2]


def _mount(line: bytes) -> tuple[str, str, str]:
    """Mount point, root and options of a line of mountinfo (proc(5)).

    Raises:
        UnavailableError: ``SANDBOX_UNAVAILABLE``: it isn't one.
    """
    fields = line.split(b" ")
    if len(fields) < 6:
        raise UnavailableError("SANDBOX_UNAVAILABLE", f"not a line of mountinfo: {shown(line)!r}")
    return _plain(fields[4]), _plain(fields[3]), os.fsdecode(fields[5])


def _plain(escaped: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda match: bytes((int(match[1], 8),)), escaped))
