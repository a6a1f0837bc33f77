"""Job ids: one form, and an order that is that of time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.ids import is_job_id, make_job_id

TIMES = st.integers(0, 32_000_000_000_000_000).map(
    lambda microseconds: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
RANDOM = st.binary(min_size=16, max_size=16)


@given(TIMES, RANDOM)
def test_what_is_made_has_the_form(now: datetime, randomness: bytes) -> None:
    assert is_job_id(make_job_id(now, randomness))


@given(TIMES, st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), RANDOM, RANDOM)
def test_a_later_job_sorts_later(now: datetime, later: timedelta, one: bytes, other: bytes) -> None:
    assert make_job_id(now, one) < make_job_id(now + later, other)


def test_two_at_the_same_moment_are_told_apart() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert make_job_id(now, b"\0" * 16) != make_job_id(now, b"\x10" * 16)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "20260102-030405-00112233a",
        "20260102-030405-00112233aa\n",
        "../20260102-030405-00",
    ],
)
def test_nothing_else_is_one(text: str) -> None:
    assert not is_job_id(text)
