"""How an entry of the cache comes to be: built aside, looked at, moved into place, sealed."""

import os
from collections.abc import Callable
from pathlib import Path

from runner.adapters.checkouts import snapshot
from runner.adapters.checkouts.evidence import write_snapshot
from runner.adapters.checkouts.place import Place
from runner.adapters.checkouts.seal import Identity, Seal, file_identity, write_seal
from runner.errors import BugError
from runner.model.checkout import BuiltTree

Build = Callable[[Path], BuiltTree]


def build_entry(place: Place, objects: Path, build: Build, *, boot_id: str) -> None:
    """Builds the entry and seals it. Only under the place's exclusive lock.

    Args:
        place: Where; what lies there is removed first.
        objects: The mirror's object store, to which the entry must be linked.
        build: Fills an empty folder.
        boot_id: Which boot of this machine it is.

    Raises:
        BugError: ``CHECKOUT_MISBUILT``: it is the checkout of something else.
    """
    place.clear()
    _open_folder(place.folder)
    _open_folder(place.building)
    try:
        built = build(place.building)
        _expect(place, objects, built)
        taken = snapshot.take(place.building)
        write_snapshot(place.snapshot, taken)
        place.building.rename(place.entry)
    except BaseException:
        place.clear()
        raise
    seal = Seal(
        built=built,
        files=taken.files,
        size_bytes=taken.size_bytes,
        snapshot_sha256=taken.sha256,
        snapshot_identity=file_identity(place.snapshot),
        identity=Identity.of(place.entry),
        boot_id=boot_id,
    )
    write_seal(place.seal, seal)


def _expect(place: Place, objects: Path, built: BuiltTree) -> None:
    """An entry for something else would be found unusable, and built again for ever."""
    linked = os.readlink(place.building / "objects")
    if (built.sha, linked) != (place.sha, str(objects)):
        raise BugError(
            "CHECKOUT_MISBUILT",
            f"got {built.sha} on {linked}, expected {place.sha} on {objects}",
        )


def _open_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Whatever the umask took away: jobs read it under another uid.
    os.chmod(folder, 0o755)  # noqa: S103
