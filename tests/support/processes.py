"""What a process has started, and whether it is gone."""

import contextlib
import os
import select
from pathlib import Path


def descendants(pid: int) -> set[int]:
    """Every process that ``pid`` started, and that those started, as far as parents tell."""
    children: dict[int, set[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                # the name, in parentheses, may hold anything: proc(5), stat
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                children.setdefault(int(fields[1]), set()).add(int(entry.name))
    found: set[int] = set()
    pending = [pid]
    while pending:
        new = children.get(pending.pop(), set()) - found
        found |= new
        pending += new
    return found


class Family:
    """A process and its descendants, held by descriptor so that no number is mistaken."""

    def __init__(self, pid: int) -> None:
        """Takes those that there are now."""
        self._fds: dict[int, int] = {}
        for one in (pid, *descendants(pid)):
            with contextlib.suppress(ProcessLookupError):
                self._fds[one] = os.pidfd_open(one)

    def __len__(self) -> int:
        return len(self._fds)

    def survivors(self, timeout_s: float = 20) -> list[int]:
        """Waits for the end of each; those that haven't ended in time."""
        late = []
        for pid, fd in self._fds.items():
            if not select.select([fd], [], [], timeout_s)[0]:
                late.append(pid)
            os.close(fd)
        self._fds.clear()
        return late
