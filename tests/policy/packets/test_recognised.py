"""A file that is called like a bundle: is it one, and can it be had again?"""

import pytest

from runner.policy.packets.recognised import EDGE_BYTES, can_be_made_again, range_of_bundle

A, B, LONG = "a" * 40, "b" * 40, "c" * 64
TITLE = f"# REVIEW BUNDLE\n# range: {A}..{B}\n"
END = b"# more\n# end of bundle\n"


@pytest.mark.parametrize(
    ("title", "ends"),
    [
        (TITLE, (A, B)),
        (f"# REVIEW BUNDLE\n# range: the empty tree..{B}\n", (None, B)),
        (f"# REVIEW BUNDLE\n# range: {LONG}..{LONG}\n", (LONG, LONG)),
    ],
)
def test_a_bundle_names_its_range(title: str, ends: tuple[str | None, str]) -> None:
    assert range_of_bundle(title.encode() + END) == ends


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n" + TITLE,
        TITLE.replace("BUNDLE", "PACKET 1 of 2"),
        TITLE.replace(A, "HEAD"),
        TITLE.replace(A, A[:39]),
        TITLE.replace(A, A.upper()),
        TITLE.replace(A, ""),
        TITLE.replace("..", "..."),
        TITLE.rstrip("\n"),
    ],
)
def test_anything_else_is_no_bundle(content: str) -> None:
    with pytest.raises(ValueError, match="doesn't begin"):
        range_of_bundle(content.encode())
    assert not can_be_made_again(content.encode()[:EDGE_BYTES], content.encode() + END)


def test_the_notice_is_no_bundle_and_can_be_made_again() -> None:
    notice = b"SIZE_CAP_EXCEEDED\n\nThe bundle would have\n"
    with pytest.raises(ValueError, match="verify their folder"):
        range_of_bundle(notice)
    assert can_be_made_again(notice, notice)
    assert not can_be_made_again(b"SIZE_CAP_EXCEEDED is what I saw\n", notice)


def test_a_bundle_to_which_something_was_added_is_somebodys() -> None:
    assert can_be_made_again(TITLE.encode(), END)
    assert not can_be_made_again(TITLE.encode(), END + b"my notes\n")
    assert not can_be_made_again(TITLE.encode(), END[:-1])


def test_the_longest_title_fits_into_what_is_looked_at() -> None:
    assert len(f"# REVIEW BUNDLE\n# range: {LONG}..{LONG}\n") <= EDGE_BYTES
