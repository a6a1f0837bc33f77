"""Which packets does a person mean who names a folder?"""

import os
from collections.abc import Iterator
from pathlib import Path

from runner.errors import ConfigurationError
from runner.model.shown import shown
from runner.policy.packets import manifest, meta

_DEPTH = 3  # from a job's folder: outputs/review_packets/STAMP
_LOOKED_AT = 10_000


def packets_at(path: Path) -> Path:
    """The folder of packets at ``path``, or the only one below it, or the bundle there is instead.

    Raises:
        ConfigurationError: ``PACKETS_NOT_FOUND``, ``PACKETS_AMBIGUOUS``.
    """
    try:
        return _at(path.resolve(), path)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError("PACKETS_NOT_FOUND", f"{path}: {why}") from error


def _at(place: Path, path: Path) -> Path:
    if place.name == manifest.NAME:
        place = place.parent
    if place.is_file():
        if place.name.endswith((".tar.gz", ".tgz")):
            raise ConfigurationError(
                "PACKETS_NOT_FOUND",
                f"{path} is an archive",
                remedy="unpack it into an empty folder (tar xzf), and name that folder",
            )
        return place
    found = [place] if (place / manifest.NAME).is_file() else sorted(_below(place))
    if len(found) == 1:
        return found[0]
    if not found and (place / meta.BUNDLE_NAME).is_file():
        return place / meta.BUNDLE_NAME
    if not found:
        raise ConfigurationError(
            "PACKETS_NOT_FOUND",
            f"{path}: there is no {manifest.NAME} in it or below it, and no {meta.BUNDLE_NAME}",
        )
    raise ConfigurationError(
        "PACKETS_AMBIGUOUS",
        "\n".join(["there are several; name one of:", *(shown(str(folder)) for folder in found)]),
    )


def _below(top: Path) -> Iterator[Path]:
    """Folders with a manifest in them; those that a target made of its own don't count."""
    level, seen = [top], 0
    for _ in range(_DEPTH):
        below: list[Path] = []
        for folder in level:
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        seen += 1
                        if seen > _LOOKED_AT:
                            return
                        if entry.is_dir(follow_symlinks=False):
                            below.append(Path(entry.path))
            except OSError:
                continue  # not there, or not ours to read: nothing is found there
        named = [folder for folder in below if folder.name != meta.TARGET_PACKETS_FOLDER]
        yield from (folder for folder in named if (folder / manifest.NAME).is_file())
        level = named
