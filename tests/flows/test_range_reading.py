"""A range is read once, whole, and what a reader couldn't see in it is counted."""

from pathlib import Path

import pytest

from runner.errors import BugError, RefusedError
from runner.flows.range_reading import range_contents, walked
from runner.model.review import ReviewFile
from tests.support.review_histories import (
    LINK,
    SCRIPT,
    SUBMODULE,
    Entry,
    Reviewed,
    Step,
    Tree,
    reviewed,
    two_trees,
)


def files_of(made: Reviewed) -> dict[bytes, ReviewFile]:
    with range_contents(made.reader, made.span, made.folder) as contents:
        return {file.change.path: file for file in contents.overview.parts[0].files}


def test_both_patches_are_read_and_gone_afterwards(tmp_path: Path) -> None:
    steps = [Step({b"a": b"1\n"}), Step({b"b": b"2\n"}), Step({b"a": b"3\n"})]
    made = reviewed(tmp_path, steps)
    with range_contents(made.reader, made.span, tmp_path) as contents:
        (one, _), (two, _) = contents.patches
        assert b"-1\n+3\n" in one[0 : len(one)]
        assert b"+2\n" in two[0 : len(two)]
        assert [part.name for part in contents.overview.parts] == ["range", "intermediate"]
        assert [part.size for part in contents.overview.parts] == [len(one), len(two)]
        assert contents.overview.commits == 2
    assert not list(tmp_path.glob("spool-*"))


def test_what_a_reader_could_not_see_is_counted_for_each_file(tmp_path: Path) -> None:
    hidden = "a\u202eb\u200b\r\n".encode() + b"\xff\n"
    files = files_of(two_trees(tmp_path, {}, {b"a": hidden, b"b": b"plain\n"}))
    assert files[b"a"].findings == (("bidi", 1), ("invalid-utf8", 1), ("zero-width", 1))
    assert files[b"b"].findings == ()


def test_what_is_more_than_a_change_of_text_is_named(tmp_path: Path) -> None:
    before = {b"mode": b"x", b"type": b"x", b"image": b"\0" * 9}
    after: Tree = {
        b"mode": Entry(b"x", SCRIPT),
        b"type": Entry(b"x", LINK),
        b"image": b"\0" * 12,
        b"module": Entry(b"1" * 32, SUBMODULE),
        b".gitattributes": b"",
    }
    files = files_of(two_trees(tmp_path, before, after))
    assert {path: file.kinds for path, file in files.items()} == {
        b".gitattributes": ("attributes",),
        b"image": ("binary",),
        b"mode": ("exec-bit", "mode"),
        b"module": ("submodule",),
        b"type": ("symlink", "type"),
    }
    assert (files[b"image"].old_size, files[b"image"].new_size) == (9, 12)
    assert (files[b"mode"].old_size, files[b"mode"].new_size) == (None, None)


def test_what_becomes_binary_or_is_no_longer_has_both_sizes(tmp_path: Path) -> None:
    before = {b"a": b"\0" * 9, b"b": b"text\n", b"c": b"\0c"}
    files = files_of(two_trees(tmp_path, before, {b"a": b"text\n", b"b": b"\0", b"d": b"\0d"}))
    sizes = {path: (file.old_size, file.new_size) for path, file in files.items()}
    assert sizes == {b"a": (9, 5), b"b": (5, 1), b"c": (2, 0), b"d": (0, 2)}


@pytest.mark.parametrize("between", [False, True])
def test_a_range_that_is_too_large_is_not_read_to_its_end(between: bool, tmp_path: Path) -> None:
    big = {b"big": b"x" * 5000 + b"\n"}
    made = reviewed(tmp_path, [Step({}), Step(big), Step({} if between else big)])
    limited = range_contents(made.reader, made.span, tmp_path, max_bytes=4000)
    with pytest.raises(RefusedError, match="RANGE_TOO_LARGE"), limited:
        pass
    assert not list(tmp_path.glob("spool-*"))
    with range_contents(made.reader, made.span, tmp_path, max_bytes=6000) as contents:
        assert sum(part.size for part in contents.overview.parts) <= 6000


def test_a_patch_of_other_changes_is_refused() -> None:
    with pytest.raises(ValueError, match="isn't among the changes"):
        walked((), iter([b"diff --git a/a b/a\n"]))


def test_what_git_cannot_have_said_is_a_bug(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {}, {b"a": b"x"})

    class Forgetful(type(made.reader)):  # type: ignore[misc]
        """A git that lists fewer changes than it shows."""

        def raw(self, from_tree: str, to_tree: str) -> bytes:
            return b""

    reader = Forgetful(made.reader.git, tmp_path / "repo" / "objects", tmp_path / "x", "0" * 40)
    with (
        pytest.raises(BugError, match="PATCH_UNREADABLE"),
        range_contents(reader, made.span, tmp_path),
    ):
        pass
