"""All bare mirrors of this host, one for each repository, keyed by its canonical URL."""

import hashlib
import os
import re
import threading
from datetime import UTC, datetime
from pathlib import Path

from runner.adapters.git import mirror_folder, remote
from runner.adapters.git.mirror import Mirror
from runner.adapters.git.process import GitProcess
from runner.adapters.locks import locked
from runner.adapters.scratch import remove
from runner.errors import BusyError, ConfigurationError, RefusedError
from runner.model.checkout import MirrorEntry

__all__ = ["Mirror", "Mirrors"]

_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


class Mirrors:
    """All mirrors below ``root``.

    Args:
        root: One folder a mirror in it. Jobs must be able to pass it, to reach the objects.
        locks: A folder that no job sees.
        git: How git is started.
    """

    def __init__(self, root: Path, locks: Path, git: GitProcess) -> None:
        self._root = root
        self._locks = locks
        self._git = git
        self._open: dict[str, Mirror] = {}
        self._turn = threading.Lock()

    def open(self, remote_url: str, *, local: bool = False) -> Mirror:
        """The mirror of the repository at ``remote_url``; nothing is fetched yet.

        Args:
            remote_url: Canonical, without credentials. Without ``local``, only https and ssh
                are spoken, whatever it looks like.
            local: It is an absolute path on this machine, given by the operator.

        Raises:
            RefusedError: ``MIRROR_URL_REFUSED``: ``local``, and not an absolute path.
        """
        if local != remote_url.startswith("/") or "\n" in remote_url or "\0" in remote_url:
            raise RefusedError(
                "MIRROR_URL_REFUSED",
                f"got {remote_url!r}, expected {'an absolute path' if local else 'a URL'}",
            )
        key = hashlib.sha256(remote_url.encode("utf-8", "surrogateescape")).hexdigest()
        with self._turn:
            mirror = self._open.get(key)
            if mirror is None:
                for folder in (self._root, self._locks):
                    folder.mkdir(parents=True, exist_ok=True)
                origin = remote.Remote(url=remote_url, local=local, git=self._git)
                mirror = Mirror(self._root / key, self._locks, origin, self._git)
                self._open[key] = mirror
            return mirror

    def resolve(self, remote_url: str, name: str) -> str:
        """The full id that ``name`` (a branch, a tag, ``HEAD``, or an id) means at the remote now.

        Raises:
            ConfigurationError: ``REVISION_UNKNOWN``: the remote has no such branch or tag.
            UnavailableError: ``MIRROR_UNAVAILABLE``.
        """
        if _FULL_ID.fullmatch(name):
            return name
        origin = remote.Remote(url=remote_url, local=remote_url.startswith("/"), git=self._git)
        found = origin.commit_called(name)
        if found is None:
            raise ConfigurationError(
                "REVISION_UNKNOWN",
                f"got {name!r}, expected a branch or tag of {remote_url}, or a full commit id",
            )
        return found

    def entries(self) -> tuple[MirrorEntry, ...]:
        """Every mirror, for eviction."""
        found = []
        folders = sorted(self._root.iterdir()) if self._root.is_dir() else []
        for folder in folders:
            if not mirror_folder.is_key(folder.name) or not (folder / "config").is_file():
                continue
            used = self._locks / f"mirror-{folder.name}.use.lock"
            stat = used.stat() if used.exists() else folder.stat()
            found.append(
                MirrorEntry(
                    key=folder.name,
                    remote_url=mirror_folder.origin_of(folder),
                    size_bytes=mirror_folder.size_of(folder),
                    last_used=datetime.fromtimestamp(stat.st_mtime, UTC),
                )
            )
        return tuple(found)

    def evict(self, key: str) -> bool:
        """Removes the mirror; false if it is in use. Its checkouts are to be evicted first.

        Raises:
            RefusedError: ``CACHE_KEY_REFUSED``: not the form of a key.
        """
        if not mirror_folder.is_key(key):
            raise RefusedError("CACHE_KEY_REFUSED", f"got {key!r}, expected a mirror's key")
        folder = self._root / key
        lock = self._locks / f"mirror-{key}.use.lock"
        if not os.path.lexists(folder):
            return False
        try:
            with locked(lock, exclusive=True, blocking=False):
                if key in self._open:
                    self._open[key].close()
                aside = self._root / f".evicted-{key}"
                remove(aside)
                folder.rename(aside)
                if aside.is_symlink():
                    aside.unlink()
                else:
                    remove(aside)
                lock.unlink(missing_ok=True)
        except BusyError:
            return False
        return True

    def close(self) -> None:
        """Ends every git process that was kept."""
        with self._turn:
            for mirror in self._open.values():
                mirror.close()
