"""The program itself, halted before one step of its own, so that a test can kill it right there.

    python -m tests.support.paused_runner MODULE:NAME[.NAME] [PATH] -- argv of runner …

Runs the command line. Before the first call of the named function ``halted`` is written to standard
error; the call happens when standard input ends. With PATH only a call whose first or second
argument is a path of that file name halts.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any


def _halt_before(name: str, only_path: str) -> None:
    module, _, inner = name.partition(":")
    *owners, last = inner.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    before = getattr(owner, last)

    def halting(*args: Any, **named: Any) -> Any:
        if only_path and not any(isinstance(a, Path) and a.name == only_path for a in args[:2]):
            return before(*args, **named)
        setattr(owner, last, before)
        os.write(2, b"halted\n")
        os.read(0, 1)
        return before(*args, **named)

    setattr(owner, last, halting)


if __name__ == "__main__":
    split = sys.argv.index("--")
    target, *path = sys.argv[1:split]
    _halt_before(target, path[0] if path else "")
    sys.argv = ["runner", *sys.argv[split + 1 :]]
    from runner.cli import main

    sys.exit(main())
