"""Locks between threads and processes."""

import threading
from pathlib import Path

import pytest

from runner.adapters.locks import locked
from runner.errors import BusyError


def test_many_may_share_and_one_may_hold_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        locked(path, exclusive=False),
        locked(path, exclusive=False, blocking=False),
        pytest.raises(BusyError),
        locked(path, exclusive=True, blocking=False),
    ):
        pass
    with (
        locked(path, exclusive=True),
        pytest.raises(BusyError),
        locked(path, exclusive=False, blocking=False),
    ):
        pass


def test_who_waits_for_a_lock_that_was_removed_takes_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    entered = threading.Event()

    def wait() -> None:
        with locked(path, exclusive=True):
            entered.set()

    with locked(path, exclusive=True):
        waiting = threading.Thread(target=wait)
        waiting.start()
        path.unlink()
    waiting.join(20)

    assert entered.is_set()
    with locked(path, exclusive=True, blocking=False):
        assert path.exists()


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic"), locked(tmp_path / "lock", exclusive=True):
        pass
    assert not (tmp_path / "elsewhere").exists()
