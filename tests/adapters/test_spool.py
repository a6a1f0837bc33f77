"""A spool is like bytes, and gone when it is closed."""

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.adapters.spool import Spool


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.binary(max_size=30), max_size=5), st.integers(0, 40), st.integers(0, 200))
def test_it_is_sliced_like_bytes(tmp_path: Path, parts: list[bytes], start: int, stop: int) -> None:
    data = b"".join(parts)
    with Spool(tmp_path) as spool:
        for part in parts:
            spool.write(part)
        assert len(spool) == len(data)
        assert spool[start:stop] == data[start:stop]
        assert b"".join(spool.blocks()) == data
        assert spool.sha256() == sha256(data).hexdigest()


def test_what_is_put_behind_the_end_is_found_there(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.write_at(5, b"later")
        spool.write_at(0, b"first")
        assert spool[0:10] == b"firstlater"
        assert len(spool) == 10


def test_a_part_of_another_is_copied(tmp_path: Path) -> None:
    with Spool(tmp_path) as one, Spool(tmp_path) as other:
        one.write(b"x" * (1 << 20) + b"abc")
        other.write(b">")
        other.copy(one, (1 << 20) - 1, (1 << 20) + 2)
        assert other[0:9] == b">xab"


def test_nothing_of_it_is_left_even_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="argument"), Spool(tmp_path) as spool:
        spool.write_at(-1, b"x")
    assert list(tmp_path.iterdir()) == []
