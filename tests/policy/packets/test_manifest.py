"""A manifest has one form, and everything else is none."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.review import (
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
from runner.policy.packets.manifest import from_json, to_json

ID, TREE, DIGEST = "a" * 40, "b" * 40, "c" * 64


def manifest(path: bytes = b"a", warnings: tuple[str, ...] = ()) -> Manifest:
    file = ReviewFile(
        Change(path, "M", "100644", "100755", ID, TREE), ("exec-bit",), (("bidi", 1),), 3, None
    )
    piece = Piece(0, 0, 0, 9, Cut.PARTIAL_HUNK, 0, 1, 2, continued=True)
    return Manifest(
        range=ReviewRange(None, ID, TREE, TREE),
        packet_bytes=50_000,
        commits=2,
        patches=(PatchPart("range", TREE, TREE, 9, DIGEST, (file,)),),
        packets=(Packet("packet_001.txt", 20, DIGEST),),
        segments=(Segment(piece, DIGEST, "packet_001.txt", 5, 9),),
        opaque_sha256=DIGEST,
        warnings=warnings,
    )


@given(st.binary(min_size=1, max_size=40), st.lists(st.text(max_size=9), max_size=2))
def test_a_manifest_is_read_as_it_was_written(path: bytes, warnings: list[str]) -> None:
    made = manifest(path, tuple(text for text in warnings if text.isprintable()))
    assert from_json(to_json(made)) == made


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(to_json(manifest()))
    return loaded


def test_it_is_ordinary_json_with_a_line_for_each_entry() -> None:
    text = to_json(manifest()).decode()
    assert document()["segments"][0]["cut"] == "partial-hunk"
    assert sum(line.startswith('  {"') for line in text.splitlines()) == 3


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another format": lambda d: d.update(format="x"),
    "another version": lambda d: d.update(version=2),
    "a version that is true": lambda d: d.update(version=True),
    "an unknown key": lambda d: d.update(more=1),
    "an unknown key of a file": lambda d: d["patches"][0]["files"][0].update(more=1),
    "an unknown key of a segment": lambda d: d["segments"][0].update(more=1),
    "an unknown key of a packet": lambda d: d["packets"][0].update(more=1),
    "a missing key": lambda d: d.pop("head_tree"),
    "a missing key of a segment": lambda d: d["segments"][0].pop("sha256"),
    "a revision instead of an id": lambda d: d.update(head="HEAD"),
    "an id in capitals": lambda d: d.update(head="A" * 40),
    "an id and a line feed": lambda d: d.update(head=ID + "\n"),
    "a base that is empty": lambda d: d.update(base=""),
    "a number that is negative": lambda d: d.update(commits=-1),
    "a number that is none": lambda d: d.update(commits=1.0),
    "a number that is text": lambda d: d["segments"][0].update(offset="0"),
    "a number without end": lambda d: d["segments"][0].update(offset=1 << 60),
    "a flag that is a number": lambda d: d["segments"][0].update(continued=1),
    "an unknown cut": lambda d: d["segments"][0].update(cut="some"),
    "a place outside": lambda d: d["segments"][0].update(stored_in="../packet_001.txt"),
    "a packet with a path": lambda d: d["packets"][0].update(name="a/packet_001.txt"),
    "a packet called otherwise": lambda d: d["packets"][0].update(name="manifest.json"),
    "a mode that is none": lambda d: d["patches"][0]["files"][0].update(old_mode="644"),
    "a path shown otherwise": lambda d: d["patches"][0]["files"][0].update(path="\u202e"),
    "a path with a half character": lambda d: d["patches"][0]["files"][0].update(path="\ud800"),
    "a path in another spelling": lambda d: d["patches"][0]["files"][0].update(path="⟦61⟧"),
    "kinds that are no texts": lambda d: d["patches"][0]["files"][0].update(kinds=[1]),
    "findings that are no counts": lambda d: d["patches"][0]["files"][0].update(
        findings={"x": "1"}
    ),
    "a list instead of an object": lambda d: d.update(segments=[[]]),
    "an object instead of a list": lambda d: d.update(segments={}),
    "a warning that is none": lambda d: d.update(warnings=[None]),
    "null": lambda d: d.update(packets=None),
}


@pytest.mark.parametrize("name", EDITS)
def test_anything_else_is_no_manifest(name: str) -> None:
    changed = document()
    EDITS[name](changed)
    with pytest.raises(ValueError, match=r"\w"):
        from_json(json.dumps(changed).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"null", b"\xff", b"{}{}", b"[" * 100_000,
        to_json(manifest()).replace(b'"commits": 2', b'"commits": 2, "commits": 2'),
        to_json(manifest()).replace(b'"commits": 2', b'"commits": NaN'),
        to_json(manifest()) + b"{}",
    ],
)  # fmt: skip
def test_no_second_reading_of_it_is_possible(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json(data)
