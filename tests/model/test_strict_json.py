"""A signed document has one meaning or none."""

import pytest

from runner.model.strict_json import parse_object


def test_an_object_is_read() -> None:
    assert parse_object(b' {"a": [1, {"b": null}]}\n') == {"a": [1, {"b": None}]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"x"',
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "\\u0062": 2}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"{} {}",
        b'{"a": 1,}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_object(data)


def test_the_size_is_bounded() -> None:
    with pytest.raises(ValueError, match="expected at most 3"):
        parse_object(b"{  }", max_bytes=3)
