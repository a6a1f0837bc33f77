"""Every byte goes into exactly one piece, and no packet gets more than it has room for."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.review import MAX_PACKETS, Cut, Piece, Section
from runner.policy.packets import cutting
from runner.policy.packets.cutting import TooManyPacketsError, lay_out, size_shown, stretches
from runner.policy.packets.patch_walk import PatchWalk
from runner.policy.packets.visible import hidden_in, shown, shown_size
from tests.support.review_histories import FRAGMENTS

FRAME, OPAQUE_FRAME = 12, 16


def costs(_patch: int, section: Section, _not_first: bool) -> int:
    return FRAME + OPAQUE_FRAME * section.opaque


@st.composite
def patches(draw: st.DrawFn) -> tuple[bytes, list[Section]]:
    """A patch as git would write one, and its sections."""
    headers, patch = [], b""
    for number in range(draw(st.integers(0, 5))):
        header = b"diff --git a/%d b/%d\n" % (number, number)
        headers.append((number, header))
        patch += header
        if draw(st.integers(0, 4)) == 0:
            body = draw(st.binary(max_size=80)).hex().encode()
            patch += b"GIT binary patch\nliteral 9\n%b\n\nliteral 0\nHc\n\n" % (body or b"x")
            continue
        for _ in range(draw(st.integers(0, 4))):
            lines = draw(
                st.lists(
                    st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=90)),
                    min_size=1, max_size=6,
                )
            )  # fmt: skip
            clean = [line.replace(b"\n", b"") for line in lines]
            patch += b"@@ -0,0 +1,%d @@\n" % len(clean) + b"".join(b"+%b\n" % x for x in clean)
    walk = PatchWalk(headers)
    walk.feed(patch)
    walk.finish()
    return patch, walk.sections


def _check(patch: bytes, sections: list[Section], pieces: tuple[Piece, ...], room: int) -> None:
    end = 0
    for piece in sorted(pieces, key=lambda piece: piece.offset):
        assert piece.offset == end
        assert piece.size > 0
        end += piece.size
    assert end == len(patch)
    packets: dict[int, int] = defaultdict(int)
    for piece in pieces:
        text = patch[piece.offset : piece.offset + piece.size]
        if piece.cut is Cut.OPAQUE:
            packets[piece.packet] += OPAQUE_FRAME
            continue
        packets[piece.packet] += FRAME + shown_size(text)
        assert piece.continued == (
            piece.part > 1 and patch[piece.offset - 1 : piece.offset] != b"\n"
        )
    assert all(size <= room for size in packets.values())
    assert [piece.packet for piece in pieces] == sorted(piece.packet for piece in pieces)
    assert sorted(packets) == list(range(len(packets)))


@given(patches(), st.integers(50, 400))
def test_each_byte_is_in_one_piece_and_each_piece_fits(
    made: tuple[bytes, list[Section]], room: int
) -> None:
    patch, sections = made
    pieces = lay_out([(patch, sections)], room, costs)
    _check(patch, sections, pieces, room)
    assert pieces == lay_out([(patch, sections)], room, costs)


@given(patches(), st.integers(50, 400))
def test_each_piece_says_how_it_was_cut(made: tuple[bytes, list[Section]], room: int) -> None:
    patch, sections = made
    by_file = {section.file: section for section in sections}
    for piece in lay_out([(patch, sections)], room, costs):
        section = by_file[piece.file]
        bounds = {section.offset, *section.hunks[1:], section.opaque_from}
        ends = {piece.offset, piece.offset + piece.size}
        match piece.cut:
            case Cut.FILE:
                assert ends == {section.offset, section.opaque_from}
            case Cut.HUNKS:
                assert ends <= bounds
            case Cut.PARTIAL_HUNK:
                assert 1 <= piece.part <= piece.parts
                assert not any(min(ends) < bound < max(ends) for bound in bounds)
            case Cut.OPAQUE:
                assert ends == {section.opaque_from, section.end}


@given(patches(), patches(), st.integers(50, 200))
def test_the_second_patch_goes_on_where_the_first_one_ends(
    one: tuple[bytes, list[Section]], two: tuple[bytes, list[Section]], room: int
) -> None:
    pieces = lay_out([one, two], room, costs)
    assert [piece.patch for piece in pieces] == sorted(piece.patch for piece in pieces)
    for number, (patch, _) in enumerate((one, two)):
        assert sum(piece.size for piece in pieces if piece.patch == number) == len(patch)


def test_a_file_that_fits_is_not_cut_and_a_hunk_that_fits_neither() -> None:
    hunk = b"@@ -0,0 +1 @@\n+%b\n" % (b"x" * 60)
    header = b"diff --git a/0 b/0\n"
    walk = PatchWalk([(0, header)])
    walk.feed(header + hunk * 3)
    walk.finish()
    patch = header + hunk * 3

    whole = lay_out([(patch, walk.sections)], len(patch) + FRAME, costs)
    apart = lay_out([(patch, walk.sections)], len(header + hunk * 2) + FRAME, costs)
    inside = lay_out([(patch, walk.sections)], len(hunk), costs)

    assert [piece.cut for piece in whole] == [Cut.FILE]
    assert [(piece.cut, piece.packet) for piece in apart] == [(Cut.HUNKS, 0), (Cut.HUNKS, 1)]
    assert {piece.cut for piece in inside} == {Cut.PARTIAL_HUNK}


def test_more_packets_than_anybody_reads_are_refused() -> None:
    line = b"+" + b"x" * (50 * (MAX_PACKETS + 2)) + b"\n"
    header = b"diff --git a/0 b/0\n"
    section = Section(file=0, offset=0, end=len(header + line), opaque_from=len(header + line))
    with pytest.raises(TooManyPacketsError):
        lay_out([(header + line, [section])], 50, costs)


@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=9))).map(b"".join))
def test_runs_are_all_of_it_and_are_shown_as_all_of_it(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cutting, "_WINDOW", 8)
        runs = list(stretches(data, 0, len(data)))
        section = Section(file=0, offset=0, end=len(data), opaque_from=len(data), plain=False)
        assert size_shown(data, section) == len(shown(data))
    assert b"".join(runs) == data
    assert b"".join(map(shown, runs)) == shown(data)
    assert sum((hidden_in(run) for run in runs), start=hidden_in(b"")) == hidden_in(data)


@pytest.mark.parametrize(
    "data",
    [
        b"abcd\xf0\x9f\x98\x80\x80\x80\x80", b"\x80" * 20, b"\xf0\x9f\x98\x80" * 5,
        b"aaaaaaa\r\nb", b"aaaaaa\r\nb", b"\xf3\xa0\x81\x81" * 4,
    ],
)  # fmt: skip
def test_a_run_cuts_no_character(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "_WINDOW", 8)
    for lead in range(8):
        text = b"a" * lead + data
        runs = list(stretches(text, 0, len(text)))
        assert b"".join(map(shown, runs)) == shown(text)
        assert sum((hidden_in(run) for run in runs), start=hidden_in(b"")) == hidden_in(text)
