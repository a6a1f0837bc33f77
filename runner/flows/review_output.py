"""Where a person wants a bundle: nothing of theirs is overwritten, and nothing is half-made.

Everything is made in a folder beside its place and moved there when it is whole.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import ConfigurationError, UnavailableError
from runner.flows.bundle import Places
from runner.policy.packets import meta
from runner.policy.packets.recognised import EDGE_BYTES, can_be_made_again

OUR_NAMES = (meta.BUNDLE_NAME, f"{meta.PACKETS_FOLDER}/")
"""What this leaves in a working copy by default; patterns as of gitignore(5)."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Output:
    """What was asked for.

    Attributes:
        bundle: The file; a bundle that was made before may lie there.
        stamp: Names the folder of the packets, if there have to be some.
        packets_too: Whether there may be packets; else nothing is written over the cap.
        replace: Whether anything but a folder may be overwritten.
    """

    bundle: Path
    stamp: str
    packets_too: bool = True
    replace: bool = False


@dataclass(frozen=True)
class Placed:
    """What lies where now.

    Attributes:
        bundle: The bundle, or the notice in place of one; null where nothing was written.
        packets: The folder of the packets, if there are some.
        before: Whether ``bundle`` ``replaced`` a file, is ``unchanged``, or is ``new``; or whether
            an older one was ``removed``, and none written.
    """

    bundle: Path | None
    packets: Path | None
    before: str


class Making:
    """Places in a folder that nobody looks at, and their way to where they are wanted."""

    def __init__(self, output: Output, aside: Path) -> None:
        self._output = output
        self._packets = aside / "packets"
        self.places = Places(
            bundle=aside / meta.BUNDLE_NAME,
            packets=self._packets if output.packets_too else None,
            archive=aside / meta.ARCHIVE_NAME,
            readme=aside / meta.README_NAME,
        )

    def publish(self) -> Placed:
        """Moves what was made to its place.

        Raises:
            ConfigurationError: ``OUTPUT_EXISTS``.
            OSError: it can't be moved.
        """
        packets = None
        if self._packets.is_dir():
            for beside in (self.places.archive, self.places.readme):
                assert beside is not None
                beside.rename(self._packets / beside.name)
            packets = _free_name(self._output.bundle.parent, self._output.stamp)
            self._packets.rename(packets)
        made, target = self.places.bundle, self._output.bundle
        if not made.exists():
            # an older bundle, of whichever range, would be read as this one's
            if os.path.lexists(target) and _is_ours(target):
                target.unlink()
                return Placed(None, packets, "removed")
            return Placed(None, packets, "")
        before = _before(made, self._output)
        if before != "unchanged":
            made.replace(target)
        return Placed(target, packets, before)


@contextlib.contextmanager
def placed(output: Output) -> Iterator[Making]:
    """Somewhere to make what ``output`` asks for; what isn't published is gone afterwards.

    Raises:
        ConfigurationError: ``OUTPUT_EXISTS``: something lies there that can't be made again;
            ``OUTPUT_UNWRITABLE``.
        UnavailableError: ``DISK_FULL``.
    """
    try:
        _refuse_to_overwrite(output)
        aside = Path(tempfile.mkdtemp(dir=output.bundle.parent, prefix=".review-"))
        try:
            yield Making(output, aside)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        what = f"{error.filename or output.bundle}: {error.strerror or error}"
        if error.errno in _NO_ROOM:
            raise UnavailableError("DISK_FULL", what, remedy="free some space") from error
        raise ConfigurationError("OUTPUT_UNWRITABLE", what) from error


def _free_name(below: Path, stamp: str) -> Path:
    """A name for packets that nothing has yet: two runs in one second both keep theirs."""
    folder = below / meta.PACKETS_FOLDER
    folder.mkdir(exist_ok=True)
    if folder.is_symlink():  # in a working copy a link may be somebody else's idea
        raise ConfigurationError("OUTPUT_EXISTS", f"{folder} is a link, expected a folder")
    names = (stamp, *(f"{stamp}-{number}" for number in range(2, 1000)))
    return next(folder / name for name in names if not os.path.lexists(folder / name))


def _before(made: Path, output: Output) -> str:
    target = output.bundle
    if not os.path.lexists(target):
        return "new"
    if stat.S_ISREG(target.lstat().st_mode) and target.read_bytes() == made.read_bytes():
        return "unchanged"
    _refuse_to_overwrite(output)  # once more: somebody may have been here meanwhile
    return "replaced"


def _refuse_to_overwrite(output: Output) -> None:
    target = output.bundle
    if target.is_dir() and not target.is_symlink():
        raise ConfigurationError("OUTPUT_EXISTS", f"{target} is a folder, expected a file's name")
    if output.replace or not os.path.lexists(target) or _is_ours(target):
        return
    raise ConfigurationError(
        "OUTPUT_EXISTS",
        f"{target} is there already, and isn't a bundle that could be made again",
        remedy="choose another --output, or overwrite it with --force",
    )


def _is_ours(path: Path) -> bool:
    try:
        fd = os.open(path, _READ)
    except OSError:
        return False  # a link, or one that may not be read
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            return False
        first = file.read(EDGE_BYTES)
        file.seek(max(0, info.st_size - EDGE_BYTES))
        return can_be_made_again(first, file.read(EDGE_BYTES))
