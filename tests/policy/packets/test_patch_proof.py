"""What is shown is cut as it says, nothing but binary is kept back, and git looks at all of it."""

from dataclasses import replace

import pytest

from runner.model.review import Change, Cut, Piece, ReviewFile, Section, Segment
from runner.policy.packets import patch_proof
from runner.policy.packets.patch_walk import PatchWalk
from tests.policy.packets.test_proof import DIGEST, manifest
from tests.support.forged_packets import delta, literal

HEADER = b"diff --git a/a b/a\n"
HUNK = b"@@ -1 +1 @@\n-1\n+22\n"
PATCH = HEADER + HUNK + HUNK
FIRST, SECOND, END = len(HEADER), len(HEADER + HUNK), len(PATCH)


def sections(patch: bytes = PATCH) -> list[Section]:
    walk = PatchWalk([(0, HEADER)])
    walk.feed(patch)
    walk.finish()
    return walk.sections


def wrong(*pieces: Piece) -> bool:
    made = manifest(*(Segment(piece, DIGEST, "packet_001.txt", 0, piece.size) for piece in pieces))
    return bool(list(patch_proof.wrongly_cut(made, 0, sections(), PATCH)))


def piece(start: int, end: int, cut: Cut, part: int = 0, parts: int = 0, on: bool = False) -> Piece:
    return Piece(0, 0, start, end - start, cut, 0, part, parts, continued=on)


@pytest.mark.parametrize(
    "pieces",
    [
        (piece(0, END, Cut.FILE),),
        (piece(0, SECOND, Cut.HUNKS), piece(SECOND, END, Cut.HUNKS)),
        (
            piece(0, FIRST, Cut.PARTIAL_HUNK, 1, 2),
            piece(FIRST, SECOND, Cut.PARTIAL_HUNK, 2, 2),
            piece(SECOND, END - 2, Cut.PARTIAL_HUNK, 1, 2),
            piece(END - 2, END, Cut.PARTIAL_HUNK, 2, 2, on=True),
        ),
    ],
)
def test_still_takes_what_is_cut_as_it_says(pieces: tuple[Piece, ...]) -> None:
    assert not wrong(*pieces)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((piece(0, SECOND, Cut.FILE),), id="a part of a file called a file"),
        pytest.param((piece(0, FIRST, Cut.HUNKS),), id="a header called hunks"),
        pytest.param((piece(FIRST, SECOND, Cut.HUNKS),), id="a hunk without its header"),
        pytest.param((piece(SECOND, END - 2, Cut.HUNKS),), id="half a hunk called hunks"),
        pytest.param((piece(0, END, Cut.PARTIAL_HUNK, 1, 1),), id="two hunks called a part"),
        pytest.param((piece(0, SECOND, Cut.PARTIAL_HUNK, 1, 2),), id="the last part as the first"),
        pytest.param((piece(SECOND, END - 2, Cut.PARTIAL_HUNK, 1, 1),), id="not to its end"),
        pytest.param((piece(END - 2, END, Cut.PARTIAL_HUNK, 1, 1),), id="not from its beginning"),
        pytest.param((piece(END - 2, END, Cut.PARTIAL_HUNK, 2, 2),), id="within a line, unsaid"),
        pytest.param(
            (piece(FIRST, SECOND, Cut.PARTIAL_HUNK, 2, 2, on=True),), id="a whole line, denied"
        ),
        pytest.param((piece(0, END, Cut.FILE, on=True),), id="a file that goes on"),
    ],
)
def test_a_cut_that_is_not_what_it_says_is_noticed(pieces: tuple[Piece, ...]) -> None:
    assert wrong(*pieces)


BINARY = HEADER + b"GIT binary patch\nliteral 9\nx\n\nliteral 5\nx\n\n"


@pytest.mark.parametrize("sizes", [{}, {1: 9}])
def test_nothing_is_opaque_that_git_does_not_call_binary(sizes: dict[int, int]) -> None:
    found = sections(BINARY)
    made = manifest(
        Segment(piece(0, FIRST, Cut.FILE), DIGEST, "packet_001.txt", 0, FIRST),
        Segment(piece(FIRST, len(BINARY), Cut.OPAQUE), DIGEST, "opaque.patch", 0, 9),
    )
    assert list(patch_proof.wrongly_shown(made, 0, found, sizes))
    assert not list(patch_proof.wrongly_shown(made, 0, found, {0: 9}))


def test_no_more_is_unpacked_than_a_file_can_need() -> None:
    found = sections(BINARY.replace(b"literal 9", b"literal 999999"))
    assert list(patch_proof.wrongly_shown(manifest(), 0, found, {0: 9}))


def test_only_what_is_opaque_is_kept_from_the_reader() -> None:
    kept = Segment(piece(0, END, Cut.OPAQUE), DIGEST, "opaque.patch", 0, END)
    assert list(patch_proof.wrongly_shown(manifest(kept), 0, sections(), {}))


@pytest.mark.parametrize("size", [0, 1, 127, 128, 300, 1 << 40])
def test_what_a_binary_patch_makes_is_read_from_itself(size: int) -> None:
    part = b"GIT binary patch\n" + literal(delta(5, size) + b"\x80" * 300, "delta")
    assert patch_proof.result_size(part) == size
    assert patch_proof.result_size(b"GIT binary patch\nliteral %d\nx\n\n" % size) == size


@pytest.mark.parametrize("body", [b"", b"Ax\n", b"zzzzz\n", literal(b"\x85").partition(b"\n")[2]])
def test_a_delta_that_does_not_say_what_it_makes_is_refused(body: bytes) -> None:
    patch = HEADER + b"GIT binary patch\ndelta 9\n" + body + b"\n"
    section = Section(file=0, offset=0, end=len(patch), opaque_from=FIRST)
    assert list(patch_proof.wrongly_unpacked([section], patch, {0: 1 << 50}))


def test_no_binary_part_makes_more_than_the_file_has() -> None:
    patch = HEADER + b"GIT binary patch\n" + literal(delta(9, 12), "delta")
    section = Section(file=0, offset=0, end=len(patch), opaque_from=FIRST)
    assert list(patch_proof.wrongly_unpacked([section], patch, {0: 11}))
    assert not list(patch_proof.wrongly_unpacked([section], patch, {0: 12}))


def file(status: str, old: str, new: str) -> ReviewFile:
    modes = {"A": ("000000", "100644"), "D": ("100644", "000000")}
    old_mode, new_mode = modes.get(status, ("100644", "100644"))
    return ReviewFile(Change(b"a", status, old_mode, new_mode, old * 40, new * 40), ())


def looked_at(*files: ReviewFile) -> list[list[tuple[str, str]]]:
    twice = [number for number, f in enumerate(files) for _ in range(1 + (f.change.status == "T"))]
    found = [Section(file=number, offset=0, end=9, opaque_from=3) for number in twice]
    return [
        [(change.old_oid[0], change.new_oid[0]) for change, _ in group]
        for group in patch_proof.unlooked_at(files, found)
    ]


def test_results_that_the_base_does_not_have_are_looked_at_anyway() -> None:
    assert looked_at(file("M", "1", "2"), file("A", "0", "3"), file("D", "4", "0")) == []


def test_a_binary_that_was_moved_is_looked_at_by_itself() -> None:
    assert looked_at(file("D", "1", "0"), file("A", "0", "1")) == [[("0", "1")]]


def test_no_group_has_a_result_that_it_starts_from() -> None:
    circle = [file("M", old, new) for old, new in ("12", "23", "34", "41", "5a", "a5", "13", "31")]
    groups = looked_at(*circle)
    assert sorted(pair for group in groups for pair in group) == sorted(
        (f.change.old_oid[0], f.change.new_oid[0]) for f in circle
    )
    for group in groups:
        assert not {old for old, _ in group} & {new for _, new in group}


def test_of_a_change_of_type_only_what_is_added_counts() -> None:
    changed = file("T", "3", "1")
    assert looked_at(file("D", "1", "0"), changed) == [[("0", "1")]]


def test_a_text_is_always_looked_at() -> None:
    files = [file("D", "1", "0"), file("A", "0", "1")]
    texts = [replace(Section(file=n, offset=0, end=9), opaque_from=9) for n in range(2)]
    assert patch_proof.unlooked_at(files, texts) == ()
