"""The seal of a cached checkout: the small file whose being there says that the entry is whole.

It lies beside the entry, where no job sees it, and is written last. The entry's own files aren't
synced one by one to the disk: that would cost more than making them. Instead the seal names the
boot in which it was made (proc(5), ``boot_id``), and after another boot, which is the only way
to lose what was written, the whole entry is looked at again before it is used.
"""

import os
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from runner.adapters.files import replace_durably
from runner.model.base import Noun
from runner.model.checkout import BuiltTree
from runner.model.ids import Sha256

# What is compared when not everything is: nobody can put other files into a checkout's place
# without changing one of these folders, or move HEAD without changing the git directory.
_WATCHED = ("", "tree", "tree/.git", "git", "git/HEAD", "git/config", "git/index", "objects")


class Identity(Noun):
    """Inode, mode, size and change time of the few files that stand for an entry."""

    seen: tuple[tuple[int, int, int, int], ...]
    objects: str

    @classmethod
    def of(cls, entry: Path) -> Self:
        """Looks at an entry.

        Raises:
            OSError: it isn't there, or isn't an entry.
        """
        stats = [os.lstat(entry / name) for name in _WATCHED]
        return cls(
            seen=tuple((s.st_ino, s.st_mode, s.st_size, s.st_ctime_ns) for s in stats),
            objects=os.readlink(entry / "objects"),
        )


class Seal(Noun):
    """What is known of an entry since it was built.

    Attributes:
        files: How many paths the snapshot has.
        snapshot_identity: Inode, size and change time of the snapshot's own file.
    """

    built: BuiltTree
    files: int
    size_bytes: int
    snapshot_sha256: Sha256
    snapshot_identity: tuple[int, int, int]
    identity: Identity
    boot_id: str


def read_seal(path: Path) -> Seal | None:
    """The seal at ``path``; None where there is none, or none that can be read."""
    try:
        return Seal.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write_seal(path: Path, seal: Seal) -> None:
    """Seals, durably."""
    replace_durably(path, seal.model_dump_json().encode(), mode=0o600)


def file_identity(path: Path) -> tuple[int, int, int]:
    """Inode, size and change time of one file.

    Raises:
        OSError: it isn't there.
    """
    stat = os.lstat(path)
    return stat.st_ino, stat.st_size, stat.st_ctime_ns


def boot_id() -> str:
    """Which boot of this machine it is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
