"""``manifest.json``: what it looks like, and whether somebody's is one.

The published schema is ``runner/schemas/review_packets_manifest.schema.json``. Read by hand and
not by pydantic because a wrapper reads it too, where there is only the standard library.
"""

import json
import re
from typing import Any, TypeVar

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
from runner.model.strict_json import parse_object
from runner.policy.packets.visible import revealed_text, shown_text

FORMAT = "ai-ops-runner review packets"
VERSION = 1
NAME = "manifest.json"
OPAQUE_NAME = "opaque.patch"
MAX_BYTES = 64 * 1024 * 1024

# A whole manifest of MAX_BYTES has fewer; as many values as its bytes allow would take 1.7 GB.
_MOST_VALUES = 5_000_000

_T = TypeVar("_T")
_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_MODE = re.compile(r"[0-7]{6}\Z", re.ASCII)
_WORD = re.compile(r"[a-z0-9-]{1,40}\Z", re.ASCII)
_FILE_NAME = re.compile(r"(?:packet_[0-9]{3,7}\.txt|opaque\.patch)\Z", re.ASCII)


def to_json(manifest: Manifest) -> bytes:
    """``manifest`` as a file; the same one always gives the same bytes."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "base": manifest.range.base,
        "head": manifest.range.head,
        "base_tree": manifest.range.base_tree,
        "head_tree": manifest.range.head_tree,
        "commits": manifest.commits,
        "packet_bytes": manifest.packet_bytes,
        "opaque_sha256": manifest.opaque_sha256,
    }
    lists: dict[str, list[Any]] = {
        "warnings": list(manifest.warnings),
        "patches": [_patch(part) for part in manifest.patches],
        "packets": [
            {"name": packet.name, "bytes": packet.size, "sha256": packet.sha256}
            for packet in manifest.packets
        ],
        "segments": [_segment(segment) for segment in manifest.segments],
    }
    # one line an entry: readable, and a tenth of the time that json's own indenting takes
    members = [f" {_compact(key)}: {_compact(value)}" for key, value in head.items()]
    for key, values in lists.items():
        entries = ",\n".join(f"  {_compact(value)}" for value in values)
        members.append(f" {_compact(key)}: [\n{entries}\n ]" if values else f" {_compact(key)}: []")
    body = ",\n".join(members)
    return f"{{\n{body}\n}}\n".encode()


def from_json(data: bytes) -> Manifest:
    """The manifest that ``data`` is.

    Raises:
        ValueError: it isn't one; the message names the culprit.
    """
    if sum(map(data.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise ValueError(f"got more than {_MOST_VALUES} values")
    document = _Fields(parse_object(data, max_bytes=MAX_BYTES), "the manifest")
    if document.text("format") != FORMAT or document.number("version") != VERSION:
        raise ValueError(f"expected format {FORMAT!r}, version {VERSION}")
    manifest = Manifest(
        range=ReviewRange(
            base=document.text_or_null("base", _ID),
            head=document.text("head", _ID),
            base_tree=document.text("base_tree", _ID),
            head_tree=document.text("head_tree", _ID),
        ),
        packet_bytes=document.number("packet_bytes"),
        commits=document.number("commits"),
        warnings=tuple(document.texts("warnings")),
        opaque_sha256=document.text_or_null("opaque_sha256", _DIGEST),
        patches=tuple(_patch_from(fields) for fields in document.objects("patches")),
        packets=tuple(
            Packet(
                fields.text("name", _FILE_NAME),
                fields.number("bytes"),
                fields.end(fields.text("sha256", _DIGEST)),
            )
            for fields in document.objects("packets")
        ),
        segments=tuple(_segment_from(fields) for fields in document.objects("segments")),
    )
    document.end(None)
    return manifest


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _patch(part: PatchPart) -> dict[str, Any]:
    return {
        "name": part.name,
        "from_tree": part.from_tree,
        "to_tree": part.to_tree,
        "bytes": part.size,
        "sha256": part.sha256,
        "files": [_file(file) for file in part.files],
    }


def _file(file: ReviewFile) -> dict[str, Any]:
    change = file.change
    return {
        "path": shown_text(change.path),
        "status": change.status,
        "old_mode": change.old_mode,
        "new_mode": change.new_mode,
        "old_oid": change.old_oid,
        "new_oid": change.new_oid,
        "kinds": list(file.kinds),
        "findings": dict(file.findings),
        "old_size": file.old_size,
        "new_size": file.new_size,
    }


def _segment(segment: Segment) -> dict[str, Any]:
    piece = segment.piece
    return {
        "patch": piece.patch,
        "file": piece.file,
        "offset": piece.offset,
        "bytes": piece.size,
        "sha256": segment.sha256,
        "cut": piece.cut.value,
        "part": piece.part,
        "parts": piece.parts,
        "continued": piece.continued,
        "packet": piece.packet,
        "stored_in": segment.stored_in,
        "at": segment.at,
        "stored_bytes": segment.stored_size,
    }


def _patch_from(fields: "_Fields") -> PatchPart:
    part = PatchPart(
        name=fields.text("name", _WORD),
        from_tree=fields.text("from_tree", _ID),
        to_tree=fields.text("to_tree", _ID),
        size=fields.number("bytes"),
        sha256=fields.text("sha256", _DIGEST),
        files=tuple(_file_from(file) for file in fields.objects("files")),
    )
    return fields.end(part)


def _file_from(fields: "_Fields") -> ReviewFile:
    findings = fields.object("findings")
    file = ReviewFile(
        change=Change(
            path=revealed_text(fields.text("path")),
            status=fields.text("status"),
            old_mode=fields.text("old_mode", _MODE),
            new_mode=fields.text("new_mode", _MODE),
            old_oid=fields.text("old_oid", _ID),
            new_oid=fields.text("new_oid", _ID),
        ),
        kinds=tuple(fields.texts("kinds")),
        findings=tuple((kind, findings.number(kind)) for kind in findings.keys),
        old_size=fields.number_or_null("old_size"),
        new_size=fields.number_or_null("new_size"),
    )
    return fields.end(file)


def _segment_from(fields: "_Fields") -> Segment:
    segment = Segment(
        piece=Piece(
            patch=fields.number("patch"),
            file=fields.number("file"),
            offset=fields.number("offset"),
            size=fields.number("bytes"),
            cut=Cut(fields.text("cut")),
            packet=fields.number("packet"),
            part=fields.number("part"),
            parts=fields.number("parts"),
            continued=fields.flag("continued"),
        ),
        sha256=fields.text("sha256", _DIGEST),
        stored_in=fields.text("stored_in", _FILE_NAME),
        at=fields.number("at"),
        stored_size=fields.number("stored_bytes"),
    )
    return fields.end(segment)


class _Fields:
    """An object of the document, whose keys are taken one by one until none is left."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: got {type(value).__name__}, expected an object")
        self._left: dict[str, Any] = dict(value)
        self._where = where

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._left)

    def text(self, key: str, form: re.Pattern[str] | None = None) -> str:
        value = self._take(key, str)
        if form is not None and not form.match(value):
            raise ValueError(f"{self._where}: {key} is {value[:100]!r}")
        return str(value)

    def text_or_null(self, key: str, form: re.Pattern[str]) -> str | None:
        return None if self._null(key) else self.text(key, form)

    def number(self, key: str) -> int:
        value = self._take(key, int)
        if isinstance(value, bool) or not 0 <= value < 1 << 53:
            raise ValueError(f"{self._where}: {key} is {value!r}, expected a count")
        return int(value)

    def number_or_null(self, key: str) -> int | None:
        return None if self._null(key) else self.number(key)

    def flag(self, key: str) -> bool:
        return bool(self._take(key, bool))

    def texts(self, key: str) -> list[str]:
        values = self._take(key, list)
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f"{self._where}: {key} has something else than text in it")
        return list(values)

    def object(self, key: str) -> "_Fields":
        return _Fields(self._take(key, dict), f"{self._where}, {key}")

    def objects(self, key: str) -> "list[_Fields]":
        values = self._take(key, list)
        return [_Fields(value, f"{key} {n}") for n, value in enumerate(values, start=1)]

    def end(self, value: _T) -> _T:
        """``value``, if no key is left that nobody asked for."""
        if self._left:
            raise ValueError(f"{self._where}: the key {next(iter(self._left))[:100]!r} is unknown")
        return value

    def _null(self, key: str) -> bool:
        if key in self._left and self._left[key] is None:
            del self._left[key]
            return True
        return False

    def _take(self, key: str, kind: type) -> Any:
        if key not in self._left:
            raise ValueError(f"{self._where}: {key} is missing")
        value = self._left.pop(key)
        if not isinstance(value, kind):
            raise ValueError(
                f"{self._where}: {key} is {type(value).__name__}, expected {kind.__name__}"
            )
        return value
