"""Sizes in bytes as people write them: ``512MiB``."""

import re

SIZE_PATTERN = r"^[1-9][0-9]{0,11}(?:KiB|MiB|GiB|TiB)$"

_SIZE = re.compile(r"([1-9][0-9]{0,11})(KiB|MiB|GiB|TiB)", re.ASCII)
_UNIT = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}


def size_bytes(text: str) -> int | None:
    """How many bytes ``text`` means, null if it isn't a number with KiB, MiB, GiB or TiB."""
    found = _SIZE.fullmatch(text)
    return int(found[1]) * _UNIT[found[2]] if found else None
