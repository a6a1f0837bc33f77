"""What a person who waits is told."""

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runner.cli import waiting


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What is shown on the terminal that standard error is; in a test, not in a fixture of it."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        yield ours
    os.close(ours)


def test_who_waits_at_a_terminal_is_told_for_what_and_the_line_is_cleared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "_PATIENCE_S", 0.01)
    with terminal(monkeypatch) as screen:
        with waiting.waiting("reading"):
            seen = os.read(screen, 100)
        while not seen.endswith(b"\r\x1b[K"):
            seen += os.read(screen, 100)
    assert seen.startswith("\rreading … 0 s".encode())


def test_who_waits_less_than_a_second_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as screen:
        with waiting.waiting("reading"):
            pass
        os.set_blocking(screen, False)
        with pytest.raises(BlockingIOError):
            os.read(screen, 100)


def test_a_pipe_is_told_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_PATIENCE_S", 0.0)
    with waiting.waiting("reading"):
        pass
    assert capsys.readouterr().err == ""
