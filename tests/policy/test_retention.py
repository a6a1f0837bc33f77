"""What garbage collection chooses."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from runner.policy.retention import (
    Cached,
    KeptRecord,
    choose_evictions,
    choose_expired_artifacts,
)

NOW = datetime(2025, 6, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
PLENTY = 10**12


def cached(key: str, *, days: float = 0, size: int = 1, in_use: bool = False) -> Cached:
    """A mirror, or a checkout if ``key`` has a commit, last used ``days`` ago."""
    kind: Literal["checkout", "mirror"] = "checkout" if "/" in key else "mirror"
    last_used = NOW - timedelta(days=days)
    return Cached(kind=kind, key=key, size_bytes=size, last_used=last_used, in_use=in_use)


def chosen(*entries: Cached, max_bytes: int = PLENTY) -> list[str]:
    """The keys that are evicted, in order."""
    evictions = choose_evictions(entries, now=NOW, max_age=WEEK, max_bytes=max_bytes)
    return [entry.key for entry in evictions]


def test_what_is_young_and_fits_stays() -> None:
    assert chosen(cached("m"), cached("m/1"), cached("m/2", days=7)) == []


def test_what_is_old_goes_the_oldest_first() -> None:
    assert chosen(cached("m/1", days=8), cached("m/2", days=9), cached("m/3")) == ["m/2", "m/1"]


def test_over_the_size_the_longest_unused_go_until_the_rest_fits() -> None:
    entries = [cached(f"m/{age}", days=age, size=10) for age in (1, 2, 3)]
    assert chosen(*entries, max_bytes=15) == ["m/3", "m/2"]
    assert chosen(*entries, max_bytes=20) == ["m/3"]


def test_what_is_in_use_stays_however_old_and_big() -> None:
    assert chosen(cached("m/1", days=99, size=99, in_use=True), max_bytes=0) == []


def test_a_mirror_stays_as_long_as_a_checkout_needs_its_objects() -> None:
    assert chosen(cached("m", days=99), cached("m/1", days=8), cached("m/2")) == ["m/1"]


def test_a_mirror_goes_after_the_last_of_its_checkouts() -> None:
    entries = (cached("m", days=99), cached("m/1", days=8), cached("m/2", days=9))
    assert chosen(*entries) == ["m/2", "m/1", "m"]


def test_a_young_mirror_outlives_its_checkouts() -> None:
    assert chosen(cached("m"), cached("m/1", days=8)) == ["m/1"]


def test_a_mirror_that_is_in_use_stays_without_checkouts() -> None:
    assert chosen(cached("m", days=99, in_use=True), cached("m/1", days=8)) == ["m/1"]


def test_a_time_in_the_future_counts_as_just_used() -> None:
    assert chosen(cached("m/1", days=-400)) == []


_ENTRIES = st.lists(
    st.builds(
        cached,
        st.sampled_from(["a", "b", "a/1", "a/2", "a/3", "b/1"]),
        days=st.integers(-2, 20),
        size=st.integers(0, 50),
        in_use=st.booleans(),
    ),
    unique_by=lambda entry: entry.key,
)


@given(_ENTRIES, st.integers(0, 200))
def test_nothing_in_use_or_needed_goes_and_what_stays_fits_if_it_can(
    entries: list[Cached], max_bytes: int
) -> None:
    keys = chosen(*entries, max_bytes=max_bytes)
    stays = [entry for entry in entries if entry.key not in keys]
    assert len(keys) == len(set(keys))
    assert {entry.key for entry in entries if entry.in_use} <= {entry.key for entry in stays}
    needed = {entry.mirror_key for entry in stays if entry.kind == "checkout"}
    assert needed.isdisjoint(keys)
    removable = [entry for entry in stays if not entry.in_use and entry.key not in needed]
    if sum(entry.size_bytes for entry in stays) > max_bytes:
        assert not removable
    assert all(NOW - entry.last_used <= WEEK for entry in removable)


def test_records_go_when_their_job_ended_long_ago_the_oldest_first() -> None:
    records = [
        KeptRecord("young", NOW - timedelta(days=7)),
        KeptRecord("old", NOW - timedelta(days=8)),
        KeptRecord("older", NOW - timedelta(days=9)),
    ]
    assert choose_expired_artifacts(records, now=NOW, max_age=WEEK) == ("older", "old")


def test_the_record_of_a_job_that_has_not_ended_never_goes() -> None:
    records = [KeptRecord("running", None)]
    assert choose_expired_artifacts(records, now=NOW, max_age=timedelta(0)) == ()
