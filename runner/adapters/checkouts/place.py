"""Where one entry of the cache and everything about it lies."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from runner.adapters.scratch import remove
from runner.errors import RefusedError

_KEY = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z", re.ASCII)
_SEAL = ".seal.json"
_SNAPSHOT = ".snapshot"
_BUILDING = ".building-"


@dataclass(frozen=True)
class Place:
    """The paths of one entry. Their names are made of hex digits only."""

    folder: Path
    lock: Path
    key: str
    sha: str

    @classmethod
    def of(cls, root: Path, locks: Path, key: str, sha: str) -> Self:
        """The place of commit ``sha`` of the mirror ``key``.

        Raises:
            RefusedError: ``CACHE_KEY_REFUSED``: one of them isn't what it should be.
        """
        if not _KEY.match(key) or not _SHA.match(sha):
            raise RefusedError(
                "CACHE_KEY_REFUSED", f"got {key[:80]!r} and {sha[:80]!r}, expected a key and an id"
            )
        return cls(root / key, locks / f"checkout-{key}-{sha}.lock", key, sha)

    @classmethod
    def around(cls, entry: Path, locks: Path) -> Self:
        """The place of an entry that ``use`` gave out."""
        return cls.of(entry.parent.parent, locks, entry.parent.name, entry.name)

    @classmethod
    def all(cls, root: Path, locks: Path) -> Iterator[Self]:
        """Every place below ``root`` that has a seal."""
        folders = sorted(root.iterdir()) if root.is_dir() else []
        for folder in folders:
            if _KEY.match(folder.name) and folder.is_dir() and not folder.is_symlink():
                for seal in sorted(folder.glob(f"*{_SEAL}")):
                    sha = seal.name.removesuffix(_SEAL)
                    if _SHA.match(sha):
                        yield cls.of(root, locks, folder.name, sha)

    @classmethod
    def unsealed(cls, root: Path, locks: Path) -> Iterator[Self]:
        """Every place below ``root`` where something lies that no seal vouches for."""
        for path in sorted(root.glob("*/*")):
            name = path.name.removeprefix(_BUILDING).removesuffix(_SNAPSHOT)
            if _KEY.match(path.parent.name) and _SHA.match(name):
                place = cls.of(root, locks, path.parent.name, name)
                if not place.seal.exists():
                    yield place

    @property
    def entry(self) -> Path:
        """What jobs see."""
        return self.folder / self.sha

    @property
    def building(self) -> Path:
        """Where it is built; whatever lies there without the lock being held is a leftover."""
        return self.folder / f"{_BUILDING}{self.sha}"

    @property
    def snapshot(self) -> Path:
        """What every file looked like when it was sealed."""
        return self.folder / f"{self.sha}{_SNAPSHOT}"

    @property
    def seal(self) -> Path:
        """Is there if, and only if, the entry is whole."""
        return self.folder / f"{self.sha}{_SEAL}"

    def clear(self) -> None:
        """Removes all of it but the lock, which the caller holds alone. The seal goes first."""
        self.seal.unlink(missing_ok=True)
        self.snapshot.unlink(missing_ok=True)
        for path in (self.entry, self.building):
            if path.is_symlink():
                path.unlink()
            elif os.path.lexists(path):
                remove(path)
