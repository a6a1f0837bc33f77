"""What a commit holds, by git's own account."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MOST_ENTRIES = 400_000


class ListingError(Exception):
    """git couldn't say what the commit holds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of the commit.

    Attributes:
        path: As git stores it: bytes, with slashes.
        mode: ``100644``, ``100755``, ``120000`` (symbolic link) or ``160000`` (submodule).
        size_bytes: Of the content; 0 for a submodule.
    """

    path: bytes
    mode: bytes
    size_bytes: int

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.mode.startswith(b"100")

    @property
    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == b"120000"

    @property
    def is_submodule(self) -> bool:
        """Whether it is a commit of another repository."""
        return self.mode == b"160000"


def list_commit(checkout: Path, sha: str) -> list[Entry]:
    """The entries of ``sha``, in git's order; at most 400,000, then it stops reading.

    Raises:
        ListingError: git failed, or said something that can't be read.
    """
    # git-ls-tree(1), OUTPUT FORMAT: mode SP type SP object SP size (padded) TAB path NUL.
    command = ["git", "ls-tree", "-r", "-z", "--long", "--full-tree", sha, "--"]
    try:
        process = subprocess.Popen(
            command,
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
    except OSError as error:
        raise ListingError(f"git couldn't be started: {error.strerror}") from error
    with process:
        entries: list[Entry] = []
        for record in _records(process.stdout):
            if len(entries) == MOST_ENTRIES:
                process.kill()
                return entries
            entries.append(_entry(record))
    if process.returncode != 0:
        raise ListingError(f"git ls-tree ended with {process.returncode}")
    return entries


def _records(stream: IO[bytes] | None) -> Iterator[bytes]:
    rest = b""
    while stream is not None and (chunk := stream.read(1 << 18)):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole


def _entry(record: bytes) -> Entry:
    head, tab, path = record.partition(b"\t")
    fields = head.split()
    if not tab or len(fields) != 4:
        raise ListingError(f"git ls-tree said {record[:200]!r}, expected four fields and a path")
    mode, _, _, size = fields
    return Entry(path, mode, int(size) if size.isdigit() else 0)
