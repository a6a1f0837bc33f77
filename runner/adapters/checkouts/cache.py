"""Read-only checkouts, one for each commit of a mirror, built once and shared by all jobs on it.

Below ``root``, for each mirror's key and commit::

    <key>/<sha>/            tree/, git/ and objects: what jobs see, read-only
    <key>/<sha>.snapshot    what every file looked like when it was sealed
    <key>/<sha>.seal.json   written last: the entry is whole

Who uses an entry holds its lock shared; who builds or evicts it holds it alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from runner.adapters.checkouts import snapshot
from runner.adapters.checkouts.building import Build, build_entry
from runner.adapters.checkouts.evidence import THE_ENTRY, differing, is_itself
from runner.adapters.checkouts.place import Place
from runner.adapters.checkouts.seal import (
    Seal,
    boot_id,
    read_seal,
    write_seal,
)
from runner.adapters.locks import locked
from runner.errors import BusyError, UnavailableError
from runner.model.checkout import CacheEntry, Checkout, TreeCheck


class Checkouts:
    """The cache below ``root``.

    Args:
        root: Jobs must be able to pass it, to reach their checkout.
        locks: A folder that no job sees.
        quarantine: Where entries go that aren't as they were sealed; on ``root``'s file system.
        snapshot_limit: Up to how many files a check looks at every one unless told otherwise.
    """

    def __init__(
        self, root: Path, locks: Path, quarantine: Path, *, snapshot_limit: int = 5000
    ) -> None:
        self._root = root
        self._locks = locks
        self._quarantine = quarantine
        self._snapshot_limit = snapshot_limit
        self._boot_id = boot_id()

    @contextmanager
    def use(self, mirror_key: str, objects: Path, sha: str, build: Build) -> Iterator[Checkout]:
        """The sealed checkout of ``sha``, which stays in the cache while the block runs.

        Args:
            mirror_key: Whose commit it is.
            objects: The mirror's object store.
            sha: The commit.
            build: Fills an empty folder with ``tree/``, ``git/`` and ``objects``; called only if
                there is no entry yet. Of many callers at once, one builds.

        Raises:
            RefusedError: ``CACHE_KEY_REFUSED``, and whatever ``build`` raises.
        """
        place = Place.of(self._root, self._locks, mirror_key, sha)
        for folder in (self._root, self._locks):
            folder.mkdir(parents=True, exist_ok=True)
        while True:
            # A lock can't be turned from exclusive into shared in one step (flock(2)): between
            # the two, somebody else may have evicted what was just built. Hence the loop.
            with locked(place.lock, exclusive=False) as fd:
                seal = self._usable(place, objects)
                if seal is not None:
                    os.utime(fd)  # the time of the last use, for eviction
                    yield _checkout(place, objects, seal)
                    return
            with locked(place.lock, exclusive=True):
                if self._usable(place, objects) is None and not self._reaffirm(place, objects):
                    build_entry(place, objects, build, boot_id=self._boot_id)

    def check(self, checkout: Checkout, *, full: bool | None = None) -> TreeCheck:
        """What became of a checkout since it was sealed.

        Always looked at: the entry, its folders, its git directory's ``HEAD``, and that the
        snapshot is still the one that was sealed. Then, if ``full``, every file.

        Args:
            checkout: As ``use`` gave it.
            full: True or false, or None for the cache's limit on the number of files.
        """
        place = Place.around(checkout.entry, self._locks)
        itself = is_itself(place, checkout.snapshot_sha256, read_seal(place.seal))
        if full is None:
            full = checkout.files <= self._snapshot_limit
        if itself and not full:
            return TreeCheck(
                method="audit-pending", intact=True, snapshot_sha256=checkout.snapshot_sha256
            )
        changed = differing(place, checkout.snapshot_sha256)
        if not itself and not changed:
            changed = (THE_ENTRY,)
        return TreeCheck(
            method="snapshot",
            intact=not changed,
            changed_files=snapshot.as_text(changed),
            head_moved=any(path == b"git" or path.startswith(b"git/") for path in changed),
            snapshot_sha256=checkout.snapshot_sha256,
        )

    def quarantine(self, checkout: Checkout, why: str) -> Path:
        """Moves the entry out of the cache, so that the next job builds it anew.

        Jobs that still run on it keep what they see. Nothing happens if somebody else was
        faster.

        Args:
            checkout: As ``use`` gave it.
            why: Is written beside it, for a person.

        Returns:
            Where it is now; the folder need not exist if it was gone already.
        """
        place = Place.around(checkout.entry, self._locks)
        target = self._quarantine / f"{place.key[:16]}-{place.sha}-{checkout.snapshot_sha256[:16]}"
        with locked(place.lock, exclusive=False):
            seal = read_seal(place.seal)
            if seal is None or seal.snapshot_sha256 != checkout.snapshot_sha256:
                return target
            place.seal.unlink(missing_ok=True)
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            for source, name in ((place.entry, "entry"), (place.snapshot, "snapshot")):
                _move(source, target / name)
            (target / "seal.json").write_text(seal.model_dump_json(indent=1))
            (target / "why.txt").write_text(f"{why}\n", errors="backslashreplace")
            # Whoever comes next takes a new lock, and needn't wait for jobs that hold this one.
            place.lock.unlink(missing_ok=True)
        return target

    def entries(self) -> tuple[CacheEntry, ...]:
        """Every sealed entry, for eviction."""
        found = []
        for place in Place.all(self._root, self._locks):
            seal = read_seal(place.seal)
            if seal is None:
                continue
            stat = (place.lock if place.lock.exists() else place.seal).stat()
            found.append(
                CacheEntry(
                    key=place.key,
                    sha=place.sha,
                    files=seal.files,
                    size_bytes=seal.size_bytes,
                    last_used=datetime.fromtimestamp(stat.st_mtime, UTC),
                )
            )
        return tuple(found)

    def evict(self, key: str, sha: str) -> bool:
        """Removes one entry; false if it is in use, or isn't there.

        Raises:
            RefusedError: ``CACHE_KEY_REFUSED``: not the form of a key or commit.
        """
        place = Place.of(self._root, self._locks, key, sha)
        if not os.path.lexists(place.entry) and not os.path.lexists(place.seal):
            return False
        try:
            with locked(place.lock, exclusive=True, blocking=False):
                place.clear()
                place.lock.unlink(missing_ok=True)
        except BusyError:
            return False
        return True

    def sweep(self) -> int:
        """Removes what interrupted builds left behind; how many entries that was.

        A build clears its own place first, so this is only for commits that nobody asks for again.
        """
        swept = 0
        for place in Place.unsealed(self._root, self._locks):
            with suppress(BusyError), locked(place.lock, exclusive=True, blocking=False):
                if not place.seal.exists():  # sealed since: somebody was building it
                    place.clear()
                    swept += 1
                    place.lock.unlink(missing_ok=True)
        return swept

    def _usable(self, place: Place, objects: Path) -> Seal | None:
        """The seal, if the entry is whole, was seen so since the last boot, and is this mirror's."""
        seal = read_seal(place.seal)
        if seal is None or seal.boot_id != self._boot_id:
            return None
        if seal.identity.objects != str(objects) or not place.entry.is_dir():
            return None
        return seal

    def _reaffirm(self, place: Place, objects: Path) -> bool:
        """After another boot: whether the entry is what it was; it is sealed again if so."""
        seal = read_seal(place.seal)
        if seal is None or seal.identity.objects != str(objects):
            return False
        sha256 = seal.snapshot_sha256
        if not is_itself(place, sha256, seal) or differing(place, sha256):
            return False
        write_seal(place.seal, seal.model_copy(update={"boot_id": self._boot_id}))
        return True


def _checkout(place: Place, objects: Path, seal: Seal) -> Checkout:
    return Checkout(
        entry=place.entry,
        objects=objects,
        sha=seal.built.sha,
        tree_id=seal.built.tree_id,
        files=seal.files,
        snapshot_sha256=seal.snapshot_sha256,
        has_githooks=seal.built.has_githooks,
    )


def _move(source: Path, target: Path) -> None:
    try:
        with suppress(FileNotFoundError):
            source.rename(target)
    except OSError as error:
        # Its seal is gone, so nobody uses it: the next job clears it away and builds it anew.
        raise UnavailableError("QUARANTINE_FAILED", f"{source} can't be moved: {error}") from error
