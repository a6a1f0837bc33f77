"""Runs a piece of Python under a seccomp filter, in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from runner.adapters.sandbox.syscall_numbers import NUMBERS

HERE = NUMBERS[os.uname().machine]

_LOADER = r"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
program = open(sys.argv[1], "rb").read()
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))
fprog = Program(len(program) // 8, program)
words = [ctypes.c_ulong(n) for n in (1, 0, 0, 0)]
assert libc.prctl(38, *words) == 0
assert libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(fprog), None, None) == 0
def call(number, *arguments):
    "0, or the errno of a system call."
    words = [ctypes.c_long(n) if isinstance(n, int) else n for n in arguments]
    words += [ctypes.c_long(0)] * (6 - len(words))
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(ctypes.c_long(number), *words) == -1 else 0
def outcome(action, *arguments):
    "None, or the errno of a Python call."
    try:
        action(*arguments)
    except OSError as error:
        return error.errno
exec(open(sys.argv[2]).read())
"""


def run_filtered(program: bytes, code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """How ``code`` ended; it finds ``call``, ``outcome`` and its arguments in ``sys.argv[3:]``."""
    with tempfile.TemporaryDirectory() as folder:
        filter_file, code_file = Path(folder, "filter"), Path(folder, "code.py")
        filter_file.write_bytes(program)
        code_file.write_text(code)
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LOADER, filter_file, code_file, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=folder,
        )


def answers(program: bytes, code: str, *arguments: str) -> Any:
    """What ``code`` printed, as JSON."""
    done = run_filtered(program, code, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def errnos(program: bytes, *names: str) -> dict[str, int]:
    """Name of a system call → the errno it gave with all arguments 0; those that exist here."""
    numbers = {name: HERE[name] for name in names if name in HERE}
    code = (
        "import json; print(json.dumps({n: call(k) for n, k in json.loads(sys.argv[3]).items()}))"
    )
    found: dict[str, int] = answers(program, code, json.dumps(numbers))
    return found
