"""A claim says one thing in one way, or it is none."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runner.policy.packets.meta import Meta, from_json, to_json

META = Meta("a" * 40, "20250102T030405Z", "ORB_REVIEW_PACKETS.tar.gz", 3, "b" * 64)
KEYS = {
    "size_cap_triggered", "size_cap_exceeded", "warnings", "review_packets_archive",
    "review_packets_dir", "packet_dir", "archive_path", "readme_path", "packet_count",
    "since_sha", "stamp", "manifest_sha256", "complete",
}  # fmt: skip


def test_a_claim_has_exactly_the_keys_of_the_contract() -> None:
    assert set(json.loads(to_json(META))) == KEYS


@pytest.mark.parametrize("incomplete", [False, True])
def test_a_claim_is_read_as_it_was_written(incomplete: bool) -> None:
    made = replace(META, target_incomplete=incomplete)
    assert from_json(to_json(made)) == made
    assert made.warnings[0] == "SIZE_CAP_EXCEEDED"
    assert ("TARGET_PACKETS_INCOMPLETE" in made.warnings) == incomplete


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another folder": lambda d: d.update(review_packets_dir="review_packets/20250102T030406Z"),
    "a folder outside": lambda d: d.update(packet_dir="../x"),
    "an archive outside": lambda d: d.update(archive_path="/etc/passwd"),
    "two archives": lambda d: d.update(archive_path="REVIEW_PACKETS.tar.gz"),
    "another archive": lambda d: d.update(
        archive_path="x.tar.gz", review_packets_archive="x.tar.gz"
    ),
    "another readme": lambda d: d.update(readme_path="artifact.json"),
    "a warning of its own": lambda d: d["warnings"].append("EVERYTHING_IS_FINE"),
    "no warning": lambda d: d.update(warnings=[]),
    "a warning that is none": lambda d: d.update(warnings=[{}]),
    "warnings that are a text": lambda d: d.update(warnings="SIZE_CAP_EXCEEDED"),
    "not complete": lambda d: d.update(complete=False),
    "complete as a number": lambda d: d.update(complete=1),
    "not exceeded": lambda d: d.update(size_cap_exceeded=False),
    "an unknown key": lambda d: d.update(status="success"),
    "a missing key": lambda d: d.pop("stamp"),
    "a count that is true": lambda d: d.update(packet_count=True),
    "a count below nothing": lambda d: d.update(packet_count=-1),
    "a stamp with a path": lambda d: d.update(stamp="../20250102T030405Z"),
    "a stamp in other digits": lambda d: d.update(stamp="\uff12\uff10250102T030405Z"),
    "a revision": lambda d: d.update(since_sha="HEAD~1"),
    "an id and a line feed": lambda d: d.update(since_sha="a" * 40 + "\n"),
    "no digest": lambda d: d.update(manifest_sha256=None),
}


@pytest.mark.parametrize("name", EDITS)
def test_anything_else_is_no_claim(name: str) -> None:
    document = json.loads(to_json(META))
    EDITS[name](document)
    with pytest.raises(ValueError, match=r"\w"):
        from_json(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"[]", b"null", b"", b'"x"', to_json(META) * 2])
def test_what_is_no_object_is_no_claim(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json(data)
