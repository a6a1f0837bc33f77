"""Which processes of this host belong to a test, told by a mark in their environment."""

import os
import select
from pathlib import Path


def marked(mark: str) -> dict[int, str]:
    """Process id → command line of every process whose environment holds ``mark``."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    line = (entry / "cmdline").read_bytes()
                    found[int(entry.name)] = line.replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it ended, or is somebody else's
                continue
    return found


def end_of(pids: "set[int] | dict[int, str]", timeout_s: float = 20) -> list[int]:
    """Waits until these processes have ended; those that haven't in time."""
    late = []
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([fd], [], [], timeout_s)[0]:
                late.append(pid)
        finally:
            os.close(fd)
    return late
