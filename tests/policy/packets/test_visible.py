"""What is shown hides nothing, and gives the exact bytes back."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.policy.packets.visible import (
    LONGEST_ESCAPE,
    fitting,
    hidden_in,
    is_plain,
    revealed,
    revealed_text,
    shown,
    shown_size,
    shown_text,
)
from tests.support.review_histories import FRAGMENTS

SOME_BYTES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=4))).map(b"".join),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@given(SOME_BYTES)
def test_what_is_shown_gives_the_bytes_back(data: bytes) -> None:
    assert revealed(shown(data)) == data
    assert revealed_text(shown_text(data)) == data
    assert shown_size(data) == len(shown(data)) >= len(data)


@given(st.one_of(SOME_BYTES, SOME_BYTES.map(shown)), st.data())
def test_no_second_spelling_is_accepted(text: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.sampled_from((b"", b"\xe2\x9f\xa6", b"00"))) + text[at:]
    try:
        meant = revealed(text)
    except ValueError:
        return
    assert shown(meant) == text


@pytest.mark.parametrize(
    "text",
    [
        "⟦41⟧", "⟦U+0041⟧", "⟦1b⟧", "⟦U+202e⟧", "⟦U+0202E⟧", "⟦", "⟦⟧", "⟦U+D800⟧", "⟦U+110000⟧",
        "⟦U+001B⟧", "⟦09⟧", "⟦0A⟧", "⟦E2⟧⟦80⟧⟦AE⟧", "\u202e", "\x1b", "\r", "⟦U+FFFFFF⟧",
    ],
)  # fmt: skip
def test_only_one_spelling_stands_for_a_character(text: str) -> None:
    with pytest.raises(ValueError, match=r"got|there is no"):
        revealed(text.encode())


@pytest.mark.parametrize("data", [b"\xff", b"\xe2\x80", b"\xed\xa0\x80", b"\xc0\x80"])
def test_text_that_is_not_utf8_was_shown_by_nobody(data: bytes) -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        revealed(data)


@given(SOME_BYTES)
def test_a_name_is_shown_on_one_line(data: bytes) -> None:
    assert len(shown_text(data).splitlines()) <= 1
    assert "\t" not in shown_text(data)


@given(SOME_BYTES)
def test_no_line_is_begun_but_by_a_line_feed(data: bytes) -> None:
    text = shown(data).decode()
    assert text.splitlines() == text.removesuffix("\n").split("\n") or not text


def test_everything_that_cannot_be_seen_or_moves_what_is_seen_is_escaped() -> None:
    # https://www.unicode.org/reports/tr44/#General_Category_Values
    suspects = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ("Cc", "Co", "Zl", "Zp", "Zs")
        or unicodedata.bidirectional(chr(code))
        in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN")
    ]
    visible = [c for c in suspects if c not in " \t\n" and c in shown(c.encode()).decode()]
    assert visible == []


def test_default_ignorable_characters_are_escaped() -> None:
    # Default_Ignorable_Code_Point: https://www.unicode.org/Public/UCD/latest/ucd/
    ranges = (
        "AD 34F 61C 115F-1160 17B4-17B5 180B-180F 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F"
        " FEFF FFA0 FFF0-FFF8 1BCA0-1BCA3 1D173-1D17A E0000-E0FFF"
    )
    for part in ranges.split():
        first, _, last = part.partition("-")
        for code in range(int(first, 16), int(last or first, 16) + 1):
            assert shown(chr(code).encode()).decode() == f"⟦U+{code:04X}⟧"


@pytest.mark.parametrize("text", ["a\tb\\x1b\n", "café", "日本", "😀", "שלום", "é", "«»", "[1B]"])
def test_still_shows_what_people_read_as_it_is(text: str) -> None:
    assert shown(text.encode()).decode() == text
    assert not hidden_in(text.encode())


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"a\r\nb\r\n", {}),
        (b"a\rb\r", {"lone-cr": 2}),
        (b"\x00\x1b\x7f\xc2\x85", {"control": 4}),
        ("\u202e\u2066\u200f".encode(), {"bidi": 3}),
        ("\u200b\ufeff\u00ad".encode(), {"zero-width": 3}),
        ("\U000e0041".encode(), {"tag": 1}),
        ("\u2028\u00a0\u3164\ue000".encode(), {"invisible": 4}),
        (b"\xff\xe2\x80", {"invalid-utf8": 3}),
    ],
)
def test_what_was_hidden_is_counted_by_kind(data: bytes, kinds: dict[str, int]) -> None:
    assert hidden_in(data) == kinds


@given(SOME_BYTES)
def test_what_is_shown_otherwise_is_counted_unless_it_ends_a_line(data: bytes) -> None:
    escaped = shown(data) != data
    assert bool(hidden_in(data)) <= escaped
    if escaped and "⟦".encode() not in data and b"\r\n" not in data:
        assert hidden_in(data)


@given(SOME_BYTES.filter(bool), st.integers(LONGEST_ESCAPE, 120))
def test_what_fits_fits_and_is_something_and_cuts_no_character(data: bytes, room: int) -> None:
    size = fitting(data, room)
    assert 0 < size <= len(data)
    assert shown_size(data[:size]) <= room
    assert shown(data[:size]) + shown(data[size:]) == shown(data)


@given(SOME_BYTES.filter(bool), st.integers(LONGEST_ESCAPE, 120))
def test_whole_lines_are_taken_where_one_fits(data: bytes, room: int) -> None:
    first = data[: data.find(b"\n") + 1]
    if first and shown_size(first) <= room:
        size = fitting(data, room)
        assert size == len(data) or data[size - 1 : size] == b"\n"


@given(SOME_BYTES)
def test_plain_is_what_is_shown_as_it_is_in_ascii(data: bytes) -> None:
    assert is_plain(data) == (data.isascii() and shown(data) == data)
