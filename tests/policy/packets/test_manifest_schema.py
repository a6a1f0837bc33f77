"""The published schema accepts what is written, and hardly anything else."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runner.adapters.git.config import write_git_config
from runner.adapters.git.process import GitProcess
from runner.adapters.git.ranges import RangeReader
from runner.adapters.record_files import published_schema
from runner.flows.bundle import Places, Wanted, build
from runner.policy.packets.manifest import from_json
from tests.support.git_repos import Link, Script, commit, git, make_repo

SCHEMA = jsonschema.Draft202012Validator(json.loads(published_schema("review_packets_manifest")))
FIRST: dict[str, Any] = {
    "binary": b"\0\1\2" * 50,
    "gone": "x\n",
    "script": "echo\n",
    "large": "".join(f"line {n}\n" for n in range(300)),
}
SECOND: dict[str, Any] = {
    "binary": b"\0\1\3" * 60,
    "gone": None,
    "script": Script("echo\n"),
    "link": Link("nowhere"),
    "name\twith\ttabs": "bidi \u202e zero\u200b esc\x1b cr\r x \xa0\n",
    "large": "".join(f"changed {n}\n" for n in range(300)) + "z" * 3000,
    "invalid": b"caf\xe9\n",
    ".gitattributes": "* -text\n",
}


def _manifest(folder: Path, object_format: str, packet_bytes: int, *, since: str | None) -> bytes:
    repo = make_repo(folder / "repo", FIRST, object_format=object_format)
    base = git(repo, "rev-parse", "HEAD")
    commit(repo, {"only": "in between\n"})
    head = commit(repo, {**SECOND, "only": None})
    write_git_config(folder / "gitconfig")
    git_process = GitProcess(folder / "gitconfig")
    reader = RangeReader(git_process, repo / ".git" / "objects", folder / "range", head)
    span = reader.range(base if since else None, head)
    wanted = Wanted(packet_bytes=packet_bytes, force_packets=True)
    build(reader, span, wanted, Places(folder / "bundle", folder / "packets"), folder)
    return (folder / "packets" / "manifest.json").read_bytes()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    made = _manifest(tmp_path_factory.mktemp("made"), "sha1", 3000, since="base")
    parsed: dict[str, Any] = json.loads(made)
    return parsed


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA.schema)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("packet_bytes", [50, 700, 50_000])
@pytest.mark.parametrize("since", ["base", None])
def test_what_is_written_validates_and_can_be_read(
    tmp_path: Path, object_format: str, packet_bytes: int, since: str | None
) -> None:
    made = _manifest(tmp_path, object_format, packet_bytes, since=since)
    SCHEMA.validate(json.loads(made))
    assert from_json(made).packet_bytes == packet_bytes


def test_the_example_holds_every_kind_of_thing(document: dict[str, Any]) -> None:
    """Else the other tests here say little."""
    files = [file for patch in document["patches"] for file in patch["files"]]
    kinds = {kind for file in files for kind in file["kinds"]}
    assert kinds >= {"binary", "symlink", "exec-bit", "mode", "attributes"}
    found = {kind for file in files for kind in file["findings"]}
    assert found >= {"bidi", "zero-width", "control", "lone-cr", "invisible", "invalid-utf8"}
    assert {segment["cut"] for segment in document["segments"]} >= {"partial-hunk", "opaque"}
    assert document["patches"][1]["files"]


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value] + [found for inner in value.values() for found in _objects(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _objects(inner)]
    return []


def test_schema_and_reader_refuse_an_unknown_or_missing_key_at_every_depth(
    document: dict[str, Any],
) -> None:
    text = json.dumps(document)
    for index, original in enumerate(_objects(document)):
        for key in original:
            changed = json.loads(text)
            del _objects(changed)[index][key]
            if _is_findings(original):
                continue  # which kinds there are is data
            _is_refused(changed)
        changed = json.loads(text)
        _objects(changed)[index]["unheard_of"] = 1
        if _is_findings(original):
            assert not SCHEMA.is_valid(changed)
        else:
            _is_refused(changed)


def _is_findings(place: dict[str, Any]) -> bool:
    return all(isinstance(value, int) for value in place.values())


def _is_refused(document: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(document)
    with pytest.raises(ValueError, match=r"manifest|patches|files|packets|segments"):
        from_json(json.dumps(document).encode())
