"""What is made of the lines that the prologue prints."""

import os
import re
import threading

import pytest

from runner.adapters.sandbox.evidence import read_evidence
from runner.errors import IntegrityError, UnavailableError
from runner.model.sandbox import Evidence

GOOD = b"aiops-evidence 1\nrefused /tree\nrefused /git dir\nready\n"


def _read(
    said: bytes, *expected: str, timeout_s: float = 10.0
) -> tuple[Evidence, dict[str, tuple[str, str]]]:
    """Reads ``said`` from a pipe whose other end is closed."""
    reading, writing = os.pipe()
    try:
        os.write(writing, said)
        os.close(writing)
        return read_evidence(reading, expected, timeout_s)
    finally:
        os.close(reading)


def test_every_expected_place_is_told_in_the_order_asked_for() -> None:
    evidence, mounts = _read(GOOD, "/git dir", "/tree")
    assert [(it.path, it.write_refused) for it in evidence.mounts] == [
        ("/git dir", True),
        ("/tree", True),
    ]
    assert evidence.all_refused
    assert mounts == {}


def test_lines_that_arrive_in_pieces_are_put_together() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as read_end, os.fdopen(writing, "wb", buffering=0) as write_end:
        pieces = threading.Thread(target=lambda: [write_end.write(bytes((b,))) for b in GOOD])
        pieces.start()
        evidence, _ = read_evidence(read_end.fileno(), ("/tree",))
        pieces.join()
    assert evidence.all_refused


def test_mounts_are_told_with_their_names_as_they_are() -> None:
    """The kernel writes blanks, tabs, newlines and backslashes as octal numbers (proc(5))."""
    line = rb"mount 36 35 98:0 /a\040b /job/tr\134ee\303\251 ro,nosuid master:1 - ext4 /dev/x rw"
    _, mounts = _read(b"aiops-evidence 1\n" + line + b"\nready\n")
    assert mounts == {"/job/tr\\eeé": ("/a b", "ro,nosuid")}


@pytest.mark.parametrize(
    "said",
    [
        b"aiops-evidence 1\nrefused /tree\nwritten /git\n",
        b"aiops-evidence 1\nwritten /git\nrefused /tree\nready\n",
    ],
)
def test_a_place_that_could_be_written_to_is_named(said: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"SANDBOX_FAILED: /git could be written"):
        _read(said, "/tree", "/git")


def test_a_place_that_was_not_tried_is_no_evidence() -> None:
    with pytest.raises(IntegrityError, match=r"SANDBOX_FAILED.*/objects"):
        _read(GOOD, "/tree", "/objects")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "ended"),
        (b"aiops-evidence 1\nrefused /tree\n", "ended; its last line was 'refused /tree'"),
        (b"sh: \x1b[31mbroken\n", r"\x1b[31mbroken"),
        (b"aiops-evidence 2\nrefused /tree\nready\n", "aiops-evidence 2"),
        (b"aiops-evidence 1\nmount short\nready\n", "mountinfo"),
        (GOOD + b"job's own\n", "ended"),
    ],
)
def test_anything_but_a_whole_answer_is_unavailable(said: bytes, words: str) -> None:
    with pytest.raises(UnavailableError, match=re.escape(words).replace(r"\\x1b", r"\\+x1b")):
        _read(said, "/tree")


def test_a_silent_prologue_is_waited_for_only_so_long() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"aiops-evidence 1\n")
        with pytest.raises(UnavailableError, match="in time"):
            read_evidence(reading, ("/tree",), 0.05)
    finally:
        os.close(reading)
        os.close(writing)


def test_endless_words_are_not_kept() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as read_end, os.fdopen(writing, "wb", buffering=0) as write_end:

        def talk() -> None:
            try:
                while True:
                    write_end.write(b"aiops-evidence 1\n" * 4096)
            except BrokenPipeError:
                return

        talker = threading.Thread(target=talk)
        talker.start()
        with pytest.raises(UnavailableError):
            read_evidence(read_end.fileno(), ("/tree",), 30.0)
        read_end.close()
        talker.join()
