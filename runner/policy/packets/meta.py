"""``size_cap_meta.json``: what a job claims when its bundle became packets.

A claim, and no more: the executor proves the packets from its own mirror before it believes one.
All paths are relative to ``$ARTIFACT_DIR``, and there is one spelling of each.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from runner.model.strict_json import parse_object
from runner.policy.packets.notices import SIZE_CAP_EXCEEDED

NAME = "size_cap_meta.json"
BUNDLE_NAME = "REVIEW_BUNDLE.txt"
README_NAME = "README_REVIEW_PACKETS.txt"
ARCHIVE_NAME = "REVIEW_PACKETS.tar.gz"
ORB_ARCHIVE_NAME = "ORB_REVIEW_PACKETS.tar.gz"
PACKETS_FOLDER = "review_packets"
ARCHIVE_NAMES = (ARCHIVE_NAME, ORB_ARCHIVE_NAME)
TARGET_PACKETS_FOLDER = "target_packets"
TARGET_PACKETS_INCOMPLETE = "TARGET_PACKETS_INCOMPLETE"
MAX_BYTES = 64 * 1024

_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z\Z", re.ASCII)
_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


@dataclass(frozen=True)
class Meta:
    """The claim.

    Attributes:
        since_sha: The base of the range.
        stamp: When the packets were made, as ``20250102T030405Z``; names their folder.
        archive_name: One of the two names that there are.
        packet_count: How many packets.
        manifest_sha256: Of ``manifest.json``.
        target_incomplete: Whether the target made packets of its own that aren't complete.
    """

    since_sha: str
    stamp: str
    archive_name: str
    packet_count: int
    manifest_sha256: str
    target_incomplete: bool = False

    @property
    def packets_dir(self) -> str:
        """Where the packets are."""
        return f"{PACKETS_FOLDER}/{self.stamp}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the record warns of."""
        more = (TARGET_PACKETS_INCOMPLETE,) if self.target_incomplete else ()
        return (SIZE_CAP_EXCEEDED, *more)

    def document(self) -> dict[str, Any]:
        """The claim with all its keys."""
        return {
            "size_cap_triggered": True,
            "size_cap_exceeded": True,
            "warnings": list(self.warnings),
            "review_packets_archive": self.archive_name,
            "review_packets_dir": self.packets_dir,
            "packet_dir": self.packets_dir,
            "archive_path": self.archive_name,
            "readme_path": README_NAME,
            "packet_count": self.packet_count,
            "since_sha": self.since_sha,
            "stamp": self.stamp,
            "manifest_sha256": self.manifest_sha256,
            "complete": True,
        }


def to_json(meta: Meta) -> bytes:
    """``meta`` as a file."""
    return json.dumps(meta.document(), indent=2).encode() + b"\n"


def from_json(data: bytes) -> Meta:
    """The claim that ``data`` is.

    Raises:
        ValueError: it isn't one, says two things at once, or something that no claim may say.
    """
    document = parse_object(data, max_bytes=MAX_BYTES)
    meta = Meta(
        since_sha=_text(document, "since_sha", _ID),
        stamp=_text(document, "stamp", _STAMP),
        archive_name=_text(document, "review_packets_archive", _ARCHIVE),
        packet_count=_count(document, "packet_count"),
        manifest_sha256=_text(document, "manifest_sha256", _DIGEST),
        target_incomplete=TARGET_PACKETS_INCOMPLETE in _texts(document, "warnings"),
    )
    expected = meta.document()
    for key in [*expected, *document]:
        if key not in document:
            raise ValueError(f"{key} is missing")
        if key not in expected:
            raise ValueError(f"the key {key[:100]!r} is unknown")
        if type(document[key]) is not type(expected[key]) or document[key] != expected[key]:
            raise ValueError(f"{key} is {str(document[key])[:200]!r}, expected {expected[key]!r}")
    return meta


_ARCHIVE = re.compile(f"(?:{'|'.join(map(re.escape, ARCHIVE_NAMES))})\\Z")


def _text(document: dict[str, Any], key: str, form: re.Pattern[str]) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not form.match(value):
        raise ValueError(f"{key} is {str(value)[:200]!r}")
    return value


def _texts(document: dict[str, Any], key: str) -> list[str]:
    value = document.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key} isn't a list")
    return value


def _count(document: dict[str, Any], key: str) -> int:
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{key} is {str(value)[:200]!r}, expected a count")
    return value
