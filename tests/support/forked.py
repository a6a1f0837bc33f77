"""Running a piece of a test in a process of its own: to kill it, or to limit what it may."""

import os
import resource
import signal
import traceback
from collections.abc import Callable


def in_child(action: Callable[[], None], *, killed: bool = False) -> None:
    """Runs ``action`` in a forked child and waits for it.

    Args:
        action: What it does; an exception there fails the test here.
        killed: Whether it is expected to end by SIGKILL.
    """
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:  # the child must never return into pytest
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if killed:
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGKILL
    else:
        assert os.waitstatus_to_exitcode(status) == 0, "see the child's traceback"


def limit_files_to(size: int) -> None:
    """From here on this process writes no file larger than ``size``: a full disk without root."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
