"""The published JSON Schemas of both allowlists, made from the nouns that are enforced."""

import json
from pathlib import Path
from typing import Any

from runner.adapters.allowlists.entries import FORMAT_VERSION
from runner.adapters.allowlists.sizes import SIZE_PATTERN
from runner.model.base import Noun
from runner.model.catalog import JobType, Repo
from runner.model.ids import NAME_PATTERN

JOB_SCHEMA = "job_allowlist.schema.json"
REPO_SCHEMA = "repo_allowlist.schema.json"


def allowlist_schemas() -> dict[str, dict[str, Any]]:
    """Both schemas (JSON Schema 2020-12), by the name of the file that publishes them."""
    return {
        JOB_SCHEMA: _schema("jobs", JobType, "What may run: each job type by its name."),
        REPO_SCHEMA: _schema("repos", Repo, "Where jobs may run: each repository by its name."),
    }


def write_allowlist_schemas(folder: Path) -> None:
    """Publishes both schemas in ``folder``."""
    for name, schema in allowlist_schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


def _schema(section: str, noun: type[Noun], description: str) -> dict[str, Any]:
    entry = noun.model_json_schema()
    definitions: dict[str, Any] = entry.pop("$defs", {})
    # The name is the key that an entry stands under.
    del entry["properties"]["name"]
    entry["required"].remove("name")
    if limits := definitions.get("Limits"):
        _accept_sizes(limits)
    definitions[noun.__name__] = entry
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"ai-ops-runner: {section}",
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "required": ["version", section],
        "properties": {
            "version": {"const": FORMAT_VERSION},
            section: {
                "type": "object",
                "propertyNames": {"pattern": NAME_PATTERN},
                "additionalProperties": {"$ref": f"#/$defs/{noun.__name__}"},
            },
        },
        "$defs": definitions,
    }


def _accept_sizes(limits: dict[str, Any]) -> None:
    """Lets each field in bytes also be a size such as ``512MiB``, as the loader does."""
    bounds = ("type", "minimum", "maximum")
    for name, field in limits["properties"].items():
        if name.endswith("_bytes"):
            number = {key: field.pop(key) for key in bounds if key in field}
            field["anyOf"] = [number, {"type": "string", "pattern": SIZE_PATTERN}]
