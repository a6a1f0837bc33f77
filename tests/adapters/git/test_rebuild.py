"""A tree is built again from its base and a patch, and from nothing else."""

import zlib
from pathlib import Path

import pytest

from runner.adapters.git.rebuild import check_results, rebuilt_tree
from runner.errors import UnavailableError
from runner.model.review import Change
from runner.policy.packets.raw_diff import parse_raw
from tests.support.forged_packets import binary
from tests.support.review_histories import Entry, Reviewed, Tree, two_trees

A, B = b"\0a" * 200, b"\0b" * 200


def rebuilt(made: Reviewed, patch: bytes, name: str = "again") -> str:
    patch_file = made.folder / f"{name}.patch"
    patch_file.write_bytes(patch)
    old = [change.old_oid for change in changes(made) if change.old_mode[:3] in ("100", "120")]
    tree = made.span.base_tree
    return rebuilt_tree(made.reader, tree, sorted(set(old)), patch_file, made.folder / name)


def changes(made: Reviewed) -> tuple[Change, ...]:
    return parse_raw(made.reader.raw(made.span.base_tree, made.span.head_tree))


def patch_of(made: Reviewed) -> bytes:
    with made.reader.patch(made.span.base_tree, made.span.head_tree) as blocks:
        return b"".join(blocks)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({b"a": b"1\n"}, {b"a": b"2\n"}, id="text"),
        pytest.param({b"a": b"1"}, {b"a": b"1\n"}, id="a last line feed"),
        pytest.param({}, {b"a": b""}, id="an empty file"),
        pytest.param({b"a": A}, {b"a": B}, id="binary"),
        pytest.param({b"a": A, b"b": B}, {b"a": B, b"b": A}, id="two binaries swapped"),
        pytest.param({b"a": b"1\n"}, {b"a/b": b"1\n"}, id="a file becomes a folder"),
        pytest.param({b"a/b": A}, {b"a": A}, id="a folder becomes a file"),
        pytest.param({b"a": A}, {b"a": Entry(b"x", "120000")}, id="a file becomes a link"),
        pytest.param({b"a": Entry(b"2" * 32, "160000")}, {b"a": b"x"}, id="a submodule goes"),
        pytest.param({b"a": b"x"}, {b"a": Entry(b"x", "100755")}, id="a mode"),
        pytest.param({b"git~1": b"x"}, {b"git~1": b"y", b".git ": b""}, id="names of other disks"),
        pytest.param({b"a": b"x"}, {}, id="everything goes"),
    ],
)
def test_the_tree_of_the_head_comes_out(before: Tree, after: Tree, tmp_path: Path) -> None:
    made = two_trees(tmp_path, before, after)
    assert rebuilt(made, patch_of(made)) == made.span.head_tree


def test_no_patch_leaves_the_base(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {b"a": b"1\n"}, {b"a": b"1\n"})
    assert rebuilt(made, b"") == made.span.base_tree


def test_another_content_leads_to_another_tree(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {b"a": b"1\n"}, {b"a": b"2\n"})
    assert rebuilt(made, patch_of(made).replace(b"+2", b"+3")) != made.span.head_tree


def test_a_binary_content_is_not_taken_from_the_head(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {}, {b"a": A})
    start = patch_of(made).index(b"GIT binary")
    with pytest.raises(ValueError, match="can't be applied"):
        rebuilt(made, patch_of(made)[:start] + binary(B, b""))


def test_a_patch_of_something_else_cannot_be_applied(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {b"a": b"1\n"}, {b"a": b"2\n"})
    with pytest.raises(ValueError, match="can't be applied"):
        rebuilt(made, patch_of(made).replace(b"-1", b"-9"))


def test_an_old_content_that_was_falsified_is_not_started_from(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {b"a": b"1\n"}, {b"a": b"2\n"})
    patch = patch_of(made)
    store = made.folder / "repo" / "objects"
    old = changes(made)[0].old_oid
    loose = store / old[:2] / old[2:]
    loose.unlink()
    loose.write_bytes(zlib.compress(b"blob 2\x002\n"))
    with pytest.raises((ValueError, UnavailableError)):
        rebuilt(made, patch.replace(b"-1", b"-2").replace(b"+2", b"+3"))


def test_what_a_binary_patch_makes_is_looked_at_by_itself(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {b"a": A, b"b": B}, {b"a": B, b"b": A})
    change = changes(made)[0]
    header = patch_of(made).partition(b"GIT binary")[0]
    true, false = tmp_path / "true", tmp_path / "false"
    true.write_bytes(header + binary(B, A))
    false.write_bytes(header + binary(A, B))

    check_results(made.reader, [change], true, tmp_path / "one")
    with pytest.raises(ValueError, match="can't be applied"):
        check_results(made.reader, [change], false, tmp_path / "two")
