"""What this machine can do, found out by trying: asked by fixtures and markers, never by the runner."""

import ctypes
import os
import shutil
import subprocess
from functools import cache

_LANDLOCK_CREATE_RULESET = 444  # the same number on every architecture (landlock_create_ruleset(2))
_LANDLOCK_CREATE_RULESET_VERSION = 1
_NOBODY = 65534


def is_root() -> bool:
    """Whether the tests run as uid 0."""
    return os.geteuid() == 0


@cache
def why_no_bubblewrap() -> str:
    """Why bubblewrap can't confine here; empty if it can."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap isn't installed"
    # as the runner would: never as root, since uid 0 inside could still write below /proc/sys
    drop = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
    command = (
        *(drop if is_root() else ()),
        *(program, "--unshare-user", "--unshare-pid", "--unshare-net", "--die-with-parent"),
        *("--ro-bind", "/", "/", "--proc", "/proc", "true"),
    )
    tried = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd="/")
    if tried.returncode == 0:
        return ""
    return f"bubblewrap can't confine here: {tried.stderr.strip() or tried.returncode}"


@cache
def why_no_landlock() -> str:
    """Why Landlock can't confine here; empty if it can."""
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(
        ctypes.c_long(_LANDLOCK_CREATE_RULESET),
        None,
        ctypes.c_size_t(0),
        ctypes.c_uint32(_LANDLOCK_CREATE_RULESET_VERSION),
    )
    if abi >= 1:
        return ""
    return f"the kernel offers no Landlock: {os.strerror(ctypes.get_errno())}"


def why_not(backend: str) -> str:
    """Why ``backend`` can't be tried here; empty if it can."""
    match backend:
        case "bubblewrap":
            return why_no_bubblewrap()
        case "landlock":
            return why_no_landlock()
        case "none":
            return ""
        case _:
            raise ValueError(f"got {backend!r}, expected 'bubblewrap', 'landlock' or 'none'")
