"""Keeps the wrappers as they were hashed, so that what was recorded is what runs.

The wrappers folder can be edited while jobs run. A job therefore never sees it, but a copy whose
every byte was hashed on the way, named after the hash of the whole. The name proves nothing later:
a power cut can empty files that were never synced, and an empty wrapper succeeds. So the copy is
hashed again whenever it is used.
"""

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from runner.adapters.scratch import remove
from runner.errors import RefusedError

_BLOCK = 64 * 1024


def keep(source: Path, root: Path, hashes: Mapping[str, str], wrappers_hash: str) -> Path:
    """The sealed copy of ``source`` with exactly the files and contents of ``hashes``.

    Args:
        source: The wrappers folder.
        root: Where copies are kept, one folder each.
        hashes: Relative path → sha256.
        wrappers_hash: Names the copy.

    Raises:
        RefusedError: ``ALLOWLIST_CHANGED``: a file isn't what it was when it was hashed.
        OSError: the copy can't be made.
    """
    kept = root / wrappers_hash
    if _holds(kept, hashes):
        return kept
    aside = root / f".{wrappers_hash}.{secrets.token_hex(4)}.tmp"
    try:
        with contextlib.suppress(FileNotFoundError):
            kept.rename(f"{aside}.spoilt")
        aside.mkdir()
        aside.chmod(0o755)
        for relative, expected in hashes.items():
            _copy(source / relative, aside, relative, expected)
        try:
            aside.rename(kept)
        except OSError:
            if not _holds(kept, hashes):  # else another process was first
                raise
    finally:
        for left in (aside, Path(f"{aside}.spoilt")):
            remove(left)
    return kept


def _holds(kept: Path, hashes: Mapping[str, str]) -> bool:
    """Whether ``kept`` has exactly the files of ``hashes``, each with its content."""
    root, found = str(kept), {}
    for parent, _, names in os.walk(root):
        for name in names:
            path = os.path.join(parent, name)
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return False
            found[path[len(root) + 1 :]] = _digest(path)
    return kept.is_dir() and found == hashes


def _digest(path: str) -> str:
    """The sha256 of a file, by plain calls: this is done for every job."""
    digest = hashlib.sha256()
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while block := os.read(fd, _BLOCK):
            digest.update(block)
    finally:
        os.close(fd)
    return digest.hexdigest()


def _copy(source: Path, root: Path, relative: str, expected: str) -> None:
    content = source.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        raise RefusedError("ALLOWLIST_CHANGED", f"wrappers/{relative} changed while it was read")
    target = root / relative
    for folder in reversed(target.relative_to(root).parents):
        (root / folder).mkdir(exist_ok=True)
        (root / folder).chmod(0o755)
    target.write_bytes(content)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
