"""Checksums in the format of sha256sum(1); that it agrees is shown where records are sealed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.checksums import format_sums, parse_sums

HASH = "ab" * 32
_NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)


@given(st.dictionaries(_NAMES, st.just(HASH)))
def test_checksums_are_read_as_they_were_written(sums: dict[str, str]) -> None:
    assert parse_sums(format_sums(sums)) == sums


@pytest.mark.parametrize(
    "text",
    [
        "cut off",
        f"{HASH}  a\n{HASH}  a\n",
        f"{HASH} a\n",
        f"{HASH.upper()}  a\n",
        f"{HASH}  \n",
        "\n",
    ],
)
def test_what_are_no_checksums_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_sums(text)
