"""Untrusted text can't deceive whoever reads it."""

from hypothesis import given
from hypothesis import strategies as st

from runner.model.shown import shown


@given(st.one_of(st.text(), st.binary()))
def test_what_is_shown_always_shows(text: str | bytes) -> None:
    assert shown(text).isprintable()
    assert shown(shown(text)) == shown(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_shows_anyway_is_left_alone(text: str) -> None:
    assert shown(text) == text


def test_kept_characters_are_let_through() -> None:
    assert shown("a\n\tb\r", keep="\n\t") == "a\n\tb\\x0d"


def test_a_name_that_is_not_utf8_shows_its_bytes() -> None:
    assert shown("a\udcff") == shown(b"a\xff") == "a\\xff"
