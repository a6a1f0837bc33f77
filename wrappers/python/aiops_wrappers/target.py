"""The target's own scripts: which of them may be run, and running one."""

import os
import stat
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from aiops_wrappers.contract import Job
from aiops_wrappers.output import Output

# What can still stand in a pipe when its writer has ended (pipe(7), /proc/sys/fs/pipe-max-size).
# A child that was left behind may go on writing for ever; nobody waits for that one.
LARGEST_PIPE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Script:
    """A script of the target by its path in the tree.

    Attributes:
        refused: Why it isn't run; empty if it may be.
    """

    path: str
    refused: str = ""


def look_at(job: Job, path: str) -> Script | None:
    """What lies at ``path`` of the checkout; null if nothing does.

    Only a regular file inside the tree may be run: a link that leads out of the tree would run
    code that isn't part of the commit, and the record would name the wrong source.
    """
    place = job.checkout / path
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Script(path, f"can't be looked at: {error.strerror}")
    try:
        real = place.resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, RuntimeError):  # RuntimeError: a loop, before Python 3.13
        return Script(path, "is a link that leads nowhere")
    if not real.is_relative_to(job.checkout.resolve()):
        return Script(path, "is a link that leaves the checkout")
    if not stat.S_ISREG(mode):
        return Script(path, "isn't a regular file")
    return Script(path)


def first_of(job: Job, candidates: Sequence[str]) -> Script | None:
    """The first of ``candidates`` that the target has; null if it has none.

    One that exists but may not be run ends the search: the target meant that one.
    """
    return next((found for path in candidates if (found := look_at(job, path))), None)


def command_for(job: Job, script: Script, *arguments: str) -> list[str]:
    """The argv that runs ``script``: by its suffix, so that a lost mode bit changes nothing.

    A target's Python runs as its own people run it, with its folder on the import path, and so
    without ``-I``; ``-B``, because the tree is read-only.
    """
    if script.path.endswith(".py"):
        return [job.python, "-B", script.path, *arguments]
    return ["/bin/bash", script.path, *arguments]


def run_into(
    output: Output, argv: Sequence[str], job: Job, *, extra_env: dict[str, str] | None = None
) -> int:
    """Runs ``argv`` in the checkout, everything it says going to ``output``; its exit code.

    Returns when the process itself has ended, also if it left children behind that keep the
    pipe open: the sandbox ends those.

    Returns:
        As a shell reports it: 128 + n for death by signal n, 127 if it couldn't be started.
    """
    read_fd, write_fd = os.pipe()
    ended_fd, ending_fd = os.pipe()
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=job.checkout,
            env={**job.environment, **(extra_env or {})},
            stdin=subprocess.DEVNULL,
            stdout=write_fd,
            stderr=write_fd,
        )
    except OSError as error:
        output.say(f"couldn't start {argv[0]}: {error.strerror}")
        for fd in (read_fd, write_fd, ended_fd, ending_fd):
            os.close(fd)
        return 127
    os.close(write_fd)

    def tell_end() -> None:
        process.wait()
        os.close(ending_fd)

    waiter = threading.Thread(target=tell_end)
    waiter.start()
    _pump(read_fd, ended_fd, output)
    waiter.join()
    os.close(read_fd)
    os.close(ended_fd)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _pump(read_fd: int, ended_fd: int, output: Output) -> None:
    os.set_blocking(read_fd, False)
    with DefaultSelector() as selector:
        selector.register(read_fd, EVENT_READ)
        selector.register(ended_fd, EVENT_READ)
        left = None
        while left is None or left > 0:
            if left is None and any(key.fd == ended_fd for key, _ in selector.select()):
                left = LARGEST_PIPE_BYTES
            try:
                chunk = os.read(read_fd, 65536)
            except BlockingIOError:
                if left is not None:
                    return
                continue
            if not chunk:
                return
            output.write(chunk)
            if left is not None:
                left -= len(chunk)


def relative_names(job: Job, folder: str, suffix: str) -> list[str]:
    """Paths of the entries of ``folder`` whose names end with ``suffix``, in byte order."""
    place = Path(folder)
    try:
        names = os.listdir(job.checkout / place)
    except OSError:
        return []
    chosen = [name for name in names if name.endswith(suffix) and not name.startswith(".")]
    return [str(place / name) for name in sorted(chosen, key=os.fsencode)]
