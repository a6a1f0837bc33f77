"""Says what is being done, where a person waits at a terminal for more than a second."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

_PATIENCE_S = 1.0


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows ``what`` and for how long on standard error while the block runs; then it is gone."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, over), daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _tell(what: str, over: threading.Event) -> None:
    started, told = time.monotonic(), False
    with contextlib.suppress(OSError):  # a terminal that went away stops nothing
        while not over.wait(_PATIENCE_S):
            sys.stderr.write(f"\r{what} … {time.monotonic() - started:.0f} s")
            sys.stderr.flush()
            told = True
        if told:
            sys.stderr.write("\r\x1b[K")  # ECMA-48, erase in line
            sys.stderr.flush()
