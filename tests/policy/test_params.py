"""Which params are accepted, and as what text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RefusedError
from runner.model.catalog import (
    DateParam,
    EnumParam,
    IntParam,
    ParamSpec,
    PatternParam,
    ShaParam,
)
from runner.model.problem import shown
from runner.policy.params import check_params, has_invisible_characters, is_full_sha

WORD = PatternParam(type="pattern", pattern=r"^[a-z]+$", max_length=8)
ANYTHING = PatternParam(type="pattern", pattern=r"[\s\S]*", max_length=100)
SHA = "0123456789abcdef0123456789abcdef01234567"


def refusal_of(spec: ParamSpec, value: str | int) -> str | None:
    """The code with which ``value`` is refused; null if it is accepted."""
    try:
        check_params({"p": spec}, {"p": value})
    except RefusedError as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize(
    ("spec", "value", "text"),
    [
        (WORD, "abc", "abc"),
        (ShaParam(type="sha"), SHA, SHA),
        (ShaParam(type="sha"), "a" * 64, "a" * 64),
        (DateParam(type="date"), "2024-02-29", "2024-02-29"),
        (EnumParam(type="enum", values=("full", "fast")), "fast", "fast"),
        (EnumParam(type="enum", values=("-v",)), "-v", "-v"),
        (IntParam(type="int", min=-5, max=5), -5, "-5"),
        (IntParam(type="int", min=-5, max=5), "5", "5"),
        (ANYTHING, "a b é 'quoted' $(x) *", "a b é 'quoted' $(x) *"),
        (ANYTHING, "", ""),
    ],
)
def test_accepts(spec: ParamSpec, value: str | int, text: str) -> None:
    assert check_params({"p": spec}, {"p": value}) == {"p": text}


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (WORD, "abc\n"),
        (WORD, "abc\ndef"),
        (WORD, "abcABC"),
        (WORD, ""),
        (WORD, "abcdefghi"),
        (WORD, 7),
        (PatternParam(type="pattern", pattern="a|ab"), "abc"),
        (PatternParam(type="pattern", pattern=r"\d+"), "١٢٣"),
        (PatternParam(type="pattern", pattern=r"\w+"), "é"),
        (ANYTHING, "-x"),
        (ANYTHING, "--upload-pack=id"),
        (ANYTHING, "a\nb"),
        (ANYTHING, "a\x00b"),
        (ANYTHING, "a\x1b[2J"),
        (ANYTHING, "a\u2028b"),
        (ANYTHING, "a\u202eb"),
        (ANYTHING, "a\u200bb"),
        (ANYTHING, "\ud800"),
        (ANYTHING, "a" * 200_000),
        (ShaParam(type="sha"), SHA[:-1]),
        (ShaParam(type="sha"), SHA + "0"),
        (ShaParam(type="sha"), SHA.upper()),
        (ShaParam(type="sha"), SHA + "\n"),
        (ShaParam(type="sha"), "HEAD"),
        (ShaParam(type="sha"), 7),
        (DateParam(type="date"), "2023-02-29"),
        (DateParam(type="date"), "2024-2-9"),
        (DateParam(type="date"), "20240209"),
        (DateParam(type="date"), "2024-W06-5"),
        (DateParam(type="date"), "2024-02-09\n"),
        (DateParam(type="date"), "٢٠٢٤-02-09"),
        (DateParam(type="date"), "2024-02-09T00:00"),
        (EnumParam(type="enum", values=("full", "fast")), "FAST"),
        (EnumParam(type="enum", values=("full", "fast")), "fas"),
        (EnumParam(type="enum", values=("1",)), 1),
        (IntParam(type="int", min=0, max=5), 6),
        (IntParam(type="int", min=0, max=5), -1),
        (IntParam(type="int", min=0, max=5), True),
        (IntParam(type="int", min=0, max=5), "+1"),
        (IntParam(type="int", min=0, max=5), "01"),
        (IntParam(type="int", min=0, max=5), "-0"),
        (IntParam(type="int", min=0, max=5), "1_0"),
        (IntParam(type="int", min=0, max=5), "٣"),
        (IntParam(type="int", min=0, max=5), " 1"),
        (IntParam(type="int", min=0, max=5), "1\n"),
        (IntParam(type="int", min=0, max=5), "0x1"),
        (IntParam(type="int", min=0, max=5), "9" * 100_000),
        (IntParam(type="int", min=0, max=5), 10**10_000),
    ],
    ids=shown,
)
def test_refuses(spec: ParamSpec, value: str | int) -> None:
    assert refusal_of(spec, value) == "PARAM_INVALID"


def test_an_unknown_param_is_refused_by_name() -> None:
    with pytest.raises(RefusedError, match=r"got 'rum_id', expected one of: run_id") as refusal:
        check_params({"run_id": WORD}, {"rum_id": "x"})
    assert refusal.value.code == "PARAM_UNKNOWN"


def test_a_missing_required_param_is_refused_by_name() -> None:
    spec = WORD.model_copy(update={"required": True})
    with pytest.raises(RefusedError, match="run_id") as refusal:
        check_params({"run_id": spec}, {})
    assert refusal.value.code == "PARAM_MISSING"


def test_a_missing_optional_param_stays_away() -> None:
    assert check_params({"run_id": WORD}, {}) == {}


@pytest.mark.parametrize("value", ["x" * 200_000 + "\x1b", 10**10_000], ids=shown)
def test_a_refusal_shows_little_of_a_huge_value(value: str | int) -> None:
    spec = IntParam(type="int", min=0, max=1)
    with pytest.raises(RefusedError) as refusal:
        check_params({"p": spec}, {"p": value})
    assert len(str(refusal.value)) < 200
    assert "\x1b" not in str(refusal.value)


@given(st.text(max_size=30))
def test_no_pattern_lets_through_an_option_or_a_second_line(text: str) -> None:
    if refusal_of(ANYTHING, text) is None:
        assert not text.startswith("-")
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", text)
        assert len(text.splitlines()) <= 1


@given(st.text(max_size=20))
def test_a_pattern_accepts_only_what_it_matches_in_full(text: str) -> None:
    assert (refusal_of(WORD, text) is None) == bool(re.fullmatch(r"[a-z]{1,8}", text))


@given(st.integers() | st.booleans(), st.integers(-100, 100), st.integers(0, 100))
def test_an_integer_passes_exactly_within_its_bounds(value: int, low: int, width: int) -> None:
    spec = IntParam(type="int", min=low, max=low + width)
    accepted = refusal_of(spec, value) is None
    assert accepted == (not isinstance(value, bool) and low <= value <= low + width)


@given(st.text(alphabet="0123456789abcdefABCDEFg\n", min_size=38, max_size=66))
def test_a_full_sha_has_40_or_64_lower_case_hex_digits(text: str) -> None:
    hex_only = all(character in "0123456789abcdef" for character in text)
    assert is_full_sha(text) == (hex_only and len(text) in (40, 64))


def test_a_plain_space_is_visible_and_a_no_break_line_is_not() -> None:
    assert not has_invisible_characters("a b")
    assert has_invisible_characters("a\x85b")
