"""The kernel's own account of what a process sees mounted where (proc(5), mountinfo)."""

import re
from pathlib import Path

_OCTAL = re.compile(r"\\([0-7]{3})")


def mounts_of(pid: int) -> dict[str, tuple[str, str]]:
    """Mount point → (root within its file system, mount options) of process ``pid``.

    Read from outside the sandbox, so nothing inside can have a say in it.

    Raises:
        OSError: the process is gone or may not be looked into.
    """
    mounts = {}
    text = Path(f"/proc/{pid}/mountinfo").read_bytes().decode(errors="surrogateescape")
    for line in text.split("\n")[:-1]:  # not splitlines(), which also ends lines at U+2028
        fields = line.split(" ")
        mounts[_plain(fields[4])] = (_plain(fields[3]), fields[5])
    return mounts


def _plain(escaped: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), escaped)
