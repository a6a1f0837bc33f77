"""The published schemas are the models', and accept exactly what is written."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from runner.adapters.record_files import published_schema
from runner.adapters.signing import load_or_create
from runner.policy.record_schema import artifact_schema, envelope_schema, published
from tests.support import records


@pytest.mark.parametrize(
    ("name", "made"), [("artifact", artifact_schema()), ("artifact.dsse", envelope_schema())]
)
def test_the_published_schema_is_the_models(name: str, made: dict[str, Any]) -> None:
    assert published_schema(name) == published(made), (
        f"write what policy.record_schema answers to runner/schemas/{name}.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(made)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    return records.sealed(tmp_path / "artifacts", load_or_create(tmp_path / "keys")).path


def test_what_is_sealed_validates(sealed: Path) -> None:
    jsonschema.validate(json.loads((sealed / "artifact.json").read_text()), artifact_schema())
    jsonschema.validate(json.loads((sealed / "artifact.dsse.json").read_text()), envelope_schema())


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value] + [found for inner in value.values() for found in _objects(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _objects(inner)]
    return []


def test_an_unknown_or_missing_key_is_refused_at_every_depth(sealed: Path) -> None:
    schema = jsonschema.Draft202012Validator(artifact_schema())
    text = (sealed / "artifact.json").read_text()
    assert schema.is_valid(json.loads(text))
    for index, _ in enumerate(_objects(json.loads(text))):
        record = json.loads(text)
        place = _objects(record)[index]
        if place is record["params"]:
            continue  # the keys there are data
        place["unheard_of"] = 1
        assert not schema.is_valid(record)
    for key in json.loads(text):
        record = json.loads(text)
        del record[key]
        assert not schema.is_valid(record)
