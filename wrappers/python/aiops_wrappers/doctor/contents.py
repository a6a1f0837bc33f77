"""What stands in the files: secrets, merge markers, line ends, links."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from aiops_wrappers.doctor.findings import Findings
from aiops_wrappers.doctor.links import LinkChecker
from aiops_wrappers.doctor.listing import Entry
from aiops_wrappers.doctor.secret_rules import find_secrets

READ_PER_FILE = 1024 * 1024
READ_IN_ALL = 2 * 1024 * 1024 * 1024
# As GitHub documents for its own limits ("About large files on GitHub", 100 MiB).
HUGE_BYTES = 100 * 1024 * 1024
LARGE_BYTES = 5 * 1024 * 1024
# git looks at as much to tell text from binary (git's buffer_is_binary; gitattributes(5)).
BINARY_LOOK = 8000
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_MARKER = re.compile(rb"^(?:<{7}(?= )|={7}(?=\r?$)|>{7}(?= ))", re.MULTILINE)


def look_at_contents(
    checkout: Path, entries: Iterable[Entry], links: LinkChecker, findings: Findings
) -> int:
    """Adds what the files hold; how many bytes were read.

    Reads at most the first MiB of a file and 2 GiB in all; what is left out is a finding too.
    """
    root = os.fsencode(checkout)
    read_bytes = 0
    for entry in entries:
        if not entry.is_file:
            continue
        _look_at_size(entry, findings)
        if read_bytes >= READ_IN_ALL:
            findings.add("not_read_whole", entry.path, detail=b"2 GiB were read before it")
            continue
        try:
            data = _read_start(os.path.join(root, entry.path))
        except OSError as error:
            why = error.strerror or "isn't a regular file"
            findings.add("missing_in_checkout", entry.path, detail=why.encode())
            continue
        read_bytes += len(data)
        if len(data) < entry.size_bytes:
            detail = b"%d of %d bytes" % (len(data), entry.size_bytes)
            findings.add("not_read_whole", entry.path, detail=detail)
        _look_at(entry.path, data, links, findings)
    return read_bytes


def _look_at_size(entry: Entry, findings: Findings) -> None:
    if entry.size_bytes >= LARGE_BYTES:
        kind = "huge_file" if entry.size_bytes >= HUGE_BYTES else "large_file"
        mebibytes = entry.size_bytes / 1024 / 1024
        findings.add(kind, entry.path, detail=f"{mebibytes:.1f} MiB".encode())


def _read_start(path: bytes) -> bytes:
    # Should the tree not be what git says, then a FIFO must not hang us nor a link mislead us.
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("isn't a regular file")
        want = min(status.st_size, READ_PER_FILE)
        data = os.read(fd, want)
        while len(data) < want and (more := os.read(fd, want - len(data))):
            data += more
        return data
    finally:
        os.close(fd)


def _look_at(path: bytes, data: bytes, links: LinkChecker, findings: Findings) -> None:
    for secret in find_secrets(data):
        line = data.count(b"\n", 0, secret.start) + 1
        findings.add(secret.kind, path, line=line, detail=secret.hint)
    if b"\0" in data[:BINARY_LOOK]:
        return
    if len(data) < 1024 and data.startswith(LFS_POINTER):
        findings.add("lfs_pointer", path)
        return
    crlf = data.count(b"\r\n")
    if crlf and (bare := data.count(b"\n") - crlf):
        findings.add("mixed_line_ends", path, detail=b"%d CRLF, %d LF" % (crlf, bare))
    if b"<<<<<<< " in data:
        for line in _conflicts(data):
            findings.add("merge_marker", path, line=line)
    if path.lower().endswith((b".md", b".markdown")):
        links.look_at_markdown(path, data, findings)


def _conflicts(data: bytes) -> Iterator[int]:
    """The line of each ``<<<<<<<`` that ``=======`` and ``>>>>>>>`` follow, in this order."""
    state, start, line, at = b"", 0, 1, 0
    for match in _MARKER.finditer(data):
        mark = match.group()[:1]
        if mark == b"<":
            line += data.count(b"\n", at, match.start())
            at = match.start()
            state, start = b"<", line
        elif mark == b"=" and state == b"<":
            state = b"="
        elif mark == b">" and state == b"=":
            yield start
            state = b""
