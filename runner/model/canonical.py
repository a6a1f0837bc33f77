"""One way of writing a JSON value as bytes, so that equal values have equal hashes.

RFC 8785 (JSON Canonicalization Scheme) for the kinds of value that this program hashes: null,
booleans, integers that every JSON reader can hold, strings, lists, and objects with string keys.
Floats are refused: none are needed, and they are where implementations differ.
"""

import hashlib
import json
from collections.abc import Mapping

# RFC 8785 section 3.2.2.3, by way of RFC 7493 (I-JSON) section 2.2: beyond this an integer may
# be rounded by a reader that keeps numbers as IEEE 754 doubles.
_LARGEST_INTEGER = 2**53 - 1


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _ordered(value: object) -> object:
    match value:
        case None | bool():
            return value
        case str():
            value.encode("utf-8")  # refuses lone surrogates, also inside keys
            return value
        case int():
            if abs(value) > _LARGEST_INTEGER:
                raise ValueError(f"got {value}, expected an integer within ±(2^53 - 1)")
            return value
        case list() | tuple():
            return [_ordered(element) for element in value]
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"got a key of type {type(key).__name__}, expected a string")
                key.encode("utf-8")
            # Section 3.2.3: sorted by UTF-16 code units, which isn't the order of code points.
            return {key: _ordered(value[key]) for key in sorted(value, key=_utf16)}
        case _:
            raise TypeError(f"got a {type(value).__name__}, which has no canonical form here")


def canonical_json(value: object) -> bytes:
    """The one spelling of ``value`` as JSON, in UTF-8.

    Raises:
        TypeError: something in it is no null, boolean, integer, string, list or mapping.
        ValueError: an integer over 2^53 - 1, or a string that isn't Unicode text.
    """
    text = json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def canonical_sha256(value: object) -> str:
    """The sha256 of the canonical JSON of ``value``, in lower-case hex. Raises as it does."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
