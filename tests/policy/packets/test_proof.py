"""Each rule of the proof finds its own fault, and none in what is right."""

from dataclasses import replace
from typing import Any

import pytest

from runner.model.review import (
    EMPTY_TREE,
    MAX_PACKET_BYTES,
    Change,
    Cut,
    Manifest,
    Packet,
    PatchPart,
    Piece,
    ReviewFile,
    ReviewRange,
    Segment,
)
from runner.policy.packets import proof
from runner.policy.packets.frames import Overview

TREE, EMPTY, DIGEST = "b" * 40, EMPTY_TREE[40], "c" * 64


def segment(offset: int, size: int, *, packet: int = 0, **fields: Any) -> Segment:
    piece = replace(Piece(0, 0, offset, size, Cut.HUNKS, packet), **fields)
    name = "opaque.patch" if piece.cut is Cut.OPAQUE else f"packet_{packet + 1:03}.txt"
    return Segment(piece, DIGEST, name, 0, size)


def part(offset: int, size: int, number: int, of: int, **fields: Any) -> Segment:
    return segment(offset, size, cut=Cut.PARTIAL_HUNK, part=number, parts=of, **fields)


def manifest(*segments: Segment, size: int = 10, packets: int = 2) -> Manifest:
    file = ReviewFile(Change(b"a", "M", "100644", "100644", "d" * 40, "e" * 40), ())
    return Manifest(
        range=ReviewRange(None, "f" * 40, EMPTY, TREE),
        packet_bytes=100,
        commits=1,
        patches=(
            PatchPart("range", EMPTY, TREE, size, DIGEST, (file,)),
            PatchPart("intermediate", EMPTY, EMPTY, 0, DIGEST, ()),
        ),
        packets=tuple(Packet(f"packet_{n + 1:03}.txt", 50, DIGEST) for n in range(packets)),
        segments=segments,
        opaque_sha256=None,
        warnings=(),
    )


GOOD = manifest(segment(0, 4), segment(4, 6, packet=1))


def test_nothing_is_wrong_with_what_is_right() -> None:
    overview = Overview(GOOD.range, 1, GOOD.patches)
    assert not list(proof.of_another_range(GOOD, GOOD.range))
    assert not list(proof.other_changes(GOOD, overview))
    assert not list(proof.not_both_patches(GOOD))
    for rule in (proof.bad_places, proof.missing_or_double, proof.wrong_parts):
        assert not list(rule(GOOD)), rule


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param((), id="nothing"),
        pytest.param((segment(0, 4),), id="the end is missing"),
        pytest.param((segment(4, 6),), id="the beginning is missing"),
        pytest.param((segment(0, 3), segment(4, 6)), id="a byte is missing"),
        pytest.param((segment(0, 5), segment(4, 6)), id="a byte is there twice"),
        pytest.param((segment(0, 4), segment(0, 4), segment(4, 6)), id="all of one twice"),
        pytest.param((segment(0, 10), segment(2, 3)), id="one within another"),
        pytest.param((segment(0, 4), segment(4, 7)), id="a byte too many"),
        pytest.param((segment(0, 10, cut=Cut.OPAQUE),), id="opaque without a digest"),
    ],
)
def test_each_byte_is_there_once(segments: tuple[Segment, ...]) -> None:
    assert list(proof.missing_or_double(manifest(*segments)))


def test_segments_may_stand_in_any_order_of_reading() -> None:
    assert not list(proof.missing_or_double(manifest(segment(4, 6), segment(0, 4))))


def test_opaque_segments_lie_one_after_the_other() -> None:
    one, two = segment(0, 4, cut=Cut.OPAQUE), segment(4, 6, cut=Cut.OPAQUE)
    right = replace(manifest(one, replace(two, at=4)), opaque_sha256=DIGEST)
    assert not list(proof.missing_or_double(right))
    for at in (0, 3, 5):
        wrong = replace(right, segments=(one, replace(two, at=at)))
        assert list(proof.missing_or_double(wrong))
    shorter = replace(right, segments=(replace(one, stored_size=3), replace(two, at=3)))
    assert list(proof.missing_or_double(shorter))


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param((part(0, 5, 1, 2),), id="the last part is missing"),
        pytest.param((part(0, 5, 2, 2),), id="the first part is missing"),
        pytest.param((part(0, 5, 1, 3), part(5, 5, 3, 3)), id="a part in between is missing"),
        pytest.param((part(0, 5, 2, 2), part(5, 5, 1, 2)), id="the other way round"),
        pytest.param((part(5, 5, 1, 2), part(0, 5, 2, 2)), id="its bytes the other way round"),
        pytest.param((part(0, 4, 1, 2), part(5, 5, 2, 2)), id="a byte in between is missing"),
        pytest.param((part(0, 5, 1, 2), part(5, 5, 2, 2, file=1)), id="of another file"),
        pytest.param((part(0, 5, 1, 2), part(5, 5, 2, 2, patch=1)), id="of another patch"),
        pytest.param((part(0, 5, 1, 2), part(5, 5, 2, 3)), id="of more parts"),
        pytest.param((part(0, 5, 0, 0),), id="no part"),
        pytest.param((part(0, 5, 3, 2),), id="a part too many"),
        pytest.param((segment(0, 5, part=1, parts=1),), id="a part that is whole hunks"),
        pytest.param((part(0, 5, 1, 2), segment(5, 5)), id="something else in between"),
    ],
)
def test_parts_of_a_hunk_stand_one_after_the_other(segments: tuple[Segment, ...]) -> None:
    assert list(proof.wrong_parts(manifest(*segments)))


def test_still_takes_parts_that_go_on_in_the_next_packet() -> None:
    segments = part(0, 5, 1, 2), part(5, 5, 2, 2, packet=1)
    assert not list(proof.wrong_parts(manifest(*segments)))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(GOOD, packet_bytes=0), id="no room"),
        pytest.param(replace(GOOD, packet_bytes=MAX_PACKET_BYTES + 1), id="too much room"),
        pytest.param(replace(GOOD, packet_bytes=49), id="a packet over its cap"),
        pytest.param(replace(GOOD, packets=GOOD.packets[::-1]), id="packets in another order"),
        pytest.param(replace(GOOD, packets=GOOD.packets[:1]), id="a packet less"),
        pytest.param(replace(GOOD, packets=GOOD.packets * 2), id="packets without segments"),
        pytest.param(manifest(segment(0, 4, packet=1), segment(4, 6)), id="segments out of order"),
        pytest.param(manifest(segment(0, 4, patch=2), packets=1), id="of no patch"),
        pytest.param(manifest(segment(0, 4, file=1), packets=1), id="of no file"),
        pytest.param(manifest(segment(0, 4, patch=1), packets=1), id="of no file in between"),
        pytest.param(manifest(segment(0, 0), packets=1), id="of no byte"),
        pytest.param(
            replace(GOOD, segments=(replace(GOOD.segments[0], stored_in="packet_002.txt"),)),
            id="in another packet",
        ),
    ],
)
def test_every_place_is_one_that_can_be_looked_up(changed: Manifest) -> None:
    assert list(proof.bad_places(changed))


def test_the_two_patches_of_a_range_are_there() -> None:
    first, second = GOOD.patches
    for patches in ((), (first,), (second, first), (first, second, second)):
        assert list(proof.not_both_patches(replace(GOOD, patches=patches)))
