"""JSON as signed documents need it: one meaning, or none."""

import json
from typing import Any, NoReturn

MAX_BYTES = 64 * 1024 * 1024


def parse_object(data: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The object that ``data`` is.

    Parsers differ in what they make of a key that stands twice (RFC 8259, section 4), so two
    readers of one signed file could see two contents. Here that is no document at all; nor is
    ``NaN``, a second value after the first, or anything that isn't UTF-8.

    Raises:
        ValueError: not exactly one strict JSON object of at most ``max_bytes``.
    """
    if len(data) > max_bytes:
        raise ValueError(f"got {len(data)} bytes, expected at most {max_bytes}")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_each_key_once, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"got a {type(value).__name__}, expected an object")
    return value


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"the key {_first_twice(pairs)!r} stands twice")
    return found


def _first_twice(pairs: list[tuple[str, Any]]) -> str | None:
    seen: set[str] = set()  # counting each key among all takes minutes for a hostile object
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} isn't JSON")
