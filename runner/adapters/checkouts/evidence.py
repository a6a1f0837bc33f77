"""Whether an entry of the cache is what it was when it was sealed, and what differs."""

import hashlib
import os
from pathlib import Path

from runner.adapters.checkouts import snapshot
from runner.adapters.checkouts.place import Place
from runner.adapters.checkouts.seal import Identity, Seal, file_identity

THE_ENTRY = b"(the entry itself)"
THE_SNAPSHOT = b"(the snapshot)"

# The kernel stamps files with a clock that moves every few milliseconds, so a probe gets a newer
# time after some thousand tries at most; more means that the machine's clock was set back.
_TRIES = 100_000


def is_itself(place: Place, snapshot_sha256: str, seal: Seal | None) -> bool:
    """Whether the entry and its snapshot are the very files that were sealed: costs no walk."""
    if seal is None or seal.snapshot_sha256 != snapshot_sha256:
        return False
    try:
        return (
            Identity.of(place.entry) == seal.identity
            and file_identity(place.snapshot) == seal.snapshot_identity
        )
    except OSError:
        return False


def differing(place: Place, snapshot_sha256: str) -> tuple[bytes, ...]:
    """Which paths below the entry aren't as they were sealed: looks at every one."""
    try:
        now = snapshot.take(place.entry)
    except OSError:
        return (THE_ENTRY,)
    if now.sha256 == snapshot_sha256:
        return ()
    try:
        sealed = place.snapshot.read_bytes()
    except OSError:
        return (THE_SNAPSHOT,)
    if hashlib.sha256(sealed).hexdigest() != snapshot_sha256:
        return (THE_SNAPSHOT,)
    return snapshot.differing(sealed, now.records)


def write_snapshot(path: Path, taken: snapshot.Snapshot) -> None:
    """Keeps the snapshot, and returns only when a change would get a newer time than it has.

    A file that is changed within the same tick of the kernel's clock as it was looked at would
    keep its change time.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        view = memoryview(taken.records)
        while view:
            view = view[os.write(fd, view) :]
        for _ in range(_TRIES):
            os.utime(fd)
            if os.fstat(fd).st_ctime_ns > taken.newest_ns:
                break
    finally:
        os.close(fd)
