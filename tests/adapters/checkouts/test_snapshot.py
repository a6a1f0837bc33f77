"""What a snapshot holds, and how differences are told."""

import os
from pathlib import Path

from runner.adapters.checkouts import snapshot


def test_a_folder_that_nothing_touched_looks_the_same(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_text("x")

    assert snapshot.take(tmp_path) == snapshot.take(tmp_path)


def test_names_with_newlines_and_no_text_are_told_apart(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    names = [b"a", b"a\n1 2 3", b"\xff", b"\\xff"]
    for name in names:
        with open(os.path.join(root, name), "wb"):
            pass
    before = snapshot.take(tmp_path)
    for name in names:
        os.chmod(os.path.join(root, name), 0o600)

    assert set(snapshot.differing(before.records, snapshot.take(tmp_path).records)) == set(names)


def test_links_are_looked_at_and_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "loop").symlink_to("..")
    (inside / "gone").symlink_to("/nowhere")

    assert snapshot.take(inside).files == 2


def test_a_long_list_says_how_much_it_leaves_out() -> None:
    text = snapshot.as_text(tuple(b"f%03d" % number for number in range(250)))

    assert len(text) == 201
    assert text[-1] == "… and 50 more"


def test_what_is_shown_holds_no_escape() -> None:
    assert snapshot.as_text((b"\x1b[31m\n",)) == ("\\x1b[31m\\x0a",)


def test_a_snapshot_that_was_cut_short_is_compared_as_far_as_it_goes() -> None:
    assert snapshot.differing(b"a\0" + b"1\nb", b"a\0" + b"1\n") == ()
