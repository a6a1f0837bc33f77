"""Which names of a tree never reach a disk."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.adapters.git.tree_names import refusal


@pytest.mark.parametrize(
    "name",
    [
        b"", b".", b"..", b"a/b", b"/", b"a\0b",
        b".git", b".GIT", b".Git", b".gIt",
        b"git~1", b"GIT~1",
        b".git ", b".git.", b".git . .", b".git::$INDEX_ALLOCATION", b".git:x",
        b"a\\.git", b".git\\config", b"git~1\\hooks",
        ".g\u200cit".encode(), ".\u200dgit".encode(), ".git\ufeff".encode(),
        "\u202e.git".encode(), ".gi\u206ft".encode(), ".GI\u200eT".encode(),
        ".g\u200cit ".encode(),
    ],
)  # fmt: skip
def test_a_name_that_could_become_a_git_directory_or_another_place_is_refused(name: bytes) -> None:
    assert refusal(name)


@pytest.mark.parametrize(
    "name",
    [
        b".gitignore", b".gitattributes", b".gitmodules", b".github", b".githooks", b"git",
        b"x.git", b"git~2", b"git~10", b"...", b"..a", b"-rf", b"a\nb", b"\xff\xfe",
        "caf\u00e9".encode(), "\u200c".encode(), b"back\\slash", b" .git", b".git-blame-ignore",
    ],
)  # fmt: skip
def test_still_allows_names_that_only_look_odd(name: bytes) -> None:
    assert refusal(name) == ""


@settings(database=None)
@given(
    st.lists(st.sampled_from(list("\u200c\u200d\u200e\u200f\u202a\u202e\u206a\u206f\ufeff"))),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.integers(0, 4),
)
def test_no_case_and_no_ignored_character_hides_it(
    ignored: list[str], upper: list[bool], at: int
) -> None:
    letters = [c.upper() if up else c for c, up in zip(".git", upper, strict=True)]
    letters[at:at] = ignored

    assert refusal("".join(letters).encode())
