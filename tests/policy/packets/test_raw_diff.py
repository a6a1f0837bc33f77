"""What git says is changed is read as git means it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.review import Change, Section
from runner.policy.packets.raw_diff import (
    headers_of,
    kinds_of,
    parse_raw,
    quoted,
    reading_order,
)
from tests.support.git_repos import git_bytes, make_repo, write_object
from tests.support.review_histories import NAMES, two_trees

ID, OTHER, ZERO = "a" * 40, "b" * 40, "0" * 40
LINE = f":100644 100755 {ID} {OTHER} M".encode()


def change(**fields: object) -> Change:
    values: dict[str, object] = {
        "path": b"a", "status": "M", "old_mode": "100644", "new_mode": "100644",
        "old_oid": ID, "new_oid": OTHER,
    }  # fmt: skip
    return Change(**{**values, **fields})  # type: ignore[arg-type]


def test_each_record_is_a_change() -> None:
    first = change(path=b"x\ny", new_mode="100755")
    assert parse_raw(LINE + b"\0x\ny\0" + LINE + b"\0:100644\0") == (
        first,
        change(path=b":100644", new_mode="100755"),
    )
    assert parse_raw(b"") == ()


@pytest.mark.parametrize(
    "output",
    [
        LINE, LINE + b"\0", LINE + b"\0a", LINE + b"\0\0", b"\0a\0", b"x" + LINE + b"\0a\0",
        LINE + b"\n\0a\0", LINE.replace(b"M", b"R100") + b"\0a\0", LINE.replace(b"M", b"U") + b"\0a\0",
        LINE.replace(b"100755", b"100664") + b"\0a\0", LINE.replace(b"aa", b"A", 1) + b"\0a\0",
        LINE + b"\0a\0\0",
    ],
)  # fmt: skip
def test_what_git_does_not_write_is_not_read(output: bytes) -> None:
    with pytest.raises(ValueError, match=r"got|whole"):
        parse_raw(output)


@pytest.mark.parametrize(
    ("what", "opaque", "kinds"),
    [
        (change(), False, ()),
        (change(), True, ("binary",)),
        (change(new_mode="120000", status="T"), False, ("symlink", "type")),
        (change(old_mode="120000", new_mode="000000", status="D"), False, ("symlink",)),
        (change(new_mode="160000", status="T"), False, ("submodule", "type")),
        (change(new_mode="100755"), False, ("exec-bit", "mode")),
        (change(old_mode="000000", new_mode="100755", status="A"), False, ("exec-bit",)),
        (change(old_mode="100755"), False, ("mode",)),
        (change(path=b"d/.GitAttributes"), False, ("attributes",)),
        (change(path=b".gitmodules"), False, ("modules",)),
    ],
)
def test_what_is_more_than_a_change_of_text_is_named(
    what: Change, opaque: bool, kinds: tuple[str, ...]
) -> None:
    assert kinds_of(what, opaque=opaque) == kinds


def test_what_needs_most_care_is_read_first_and_the_rest_in_order() -> None:
    sections = [Section(file=n, offset=n) for n in range(4)]
    order = reading_order(sections, [(), ("symlink",), (), ("binary",)])
    assert [section.file for section in order] == [1, 3, 0, 2]


def test_names_are_spelt_as_git_spells_them(tmp_path: Path) -> None:
    every_byte = [bytes((97, byte, 98)) for byte in range(1, 256) if byte != 0x2F]
    names = sorted({*every_byte, *(b"d/" + name for name in NAMES), b"\xff" * 4000})
    span = two_trees(tmp_path, {}, dict.fromkeys(names, b"x\n"))
    patch = git_bytes(tmp_path / "repo", "diff-tree", "-p", *span.commits)

    headers = [line for line in patch.splitlines(True) if line.startswith(b"diff --git ")]
    made = [headers_of(change(path=name, status="A"))[0] for name in names]
    assert sorted(headers) == sorted(made)


def test_a_change_of_type_has_two_sections() -> None:
    assert len(headers_of(change(status="T"))) == 2
    assert len(headers_of(change(status="M"))) == 1


def test_modes_of_old_trees_are_read_as_git_reads_them(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    blob = bytes.fromhex(write_object(repo, "blob", b"x"))
    trees = [write_object(repo, "tree", entry) for entry in (b"", b"100664 a\0" + blob)]
    raw = git_bytes(repo, "diff-tree", "-r", "-z", "--raw", "--no-abbrev", *trees)
    assert [found.new_mode for found in parse_raw(raw)] == ["100644"]


@given(st.binary(min_size=1, max_size=30))
def test_no_two_names_are_spelt_alike(name: bytes) -> None:
    spelt = quoted(name)
    assert b"\n" not in spelt
    assert spelt.isascii()
    if spelt != name:
        inner = spelt[1:-1].decode("ascii").encode().decode("unicode_escape").encode("latin-1")
        assert inner == name
