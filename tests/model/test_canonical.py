"""The canonical spelling of JSON values."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.canonical import canonical_json, canonical_sha256

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
    max_leaves=20,
)


def test_the_spelling_is_the_one_of_rfc_8785() -> None:
    value = {"b": [1, True, None], "a": 'é"\\\n\x1f\x7f', "": {}}
    expected = '{"":{},"a":"é\\"\\\\\\n\\u001f\x7f","b":[1,true,null]}'
    assert canonical_json(value) == expected.encode()


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    """RFC 8785, 3.2.3: U+1F600 is written with surrogates, which sort before U+FB33."""
    assert canonical_json({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


def test_the_hash_is_of_the_canonical_bytes() -> None:
    assert canonical_sha256({"b": 1, "a": 2}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()


@given(_VALUES)
def test_reading_it_gives_the_value_back(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(_TEXT, st.integers(0, 9)))
def test_the_order_in_which_keys_were_set_makes_no_difference(value: dict[str, int]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@pytest.mark.parametrize("value", [1.0, float("nan"), b"bytes", {1: 2}, object(), {1, 2}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json([value])


@pytest.mark.parametrize("value", [2**53, -(2**53), "\ud800", {"\udc00": 1}])
def test_what_readers_would_disagree_about_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - UnicodeEncodeError for text, ours for integers
        canonical_json([value])
