"""The published schemas say what the loader enforces."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from runner.adapters.allowlists.schemas import (
    JOB_SCHEMA,
    REPO_SCHEMA,
    allowlist_schemas,
    write_allowlist_schemas,
)
from tests.support.catalogs import JOBS_YAML, REPOS_YAML

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.mark.parametrize("name", [JOB_SCHEMA, REPO_SCHEMA])
def test_the_published_file_is_what_the_nouns_give(name: str) -> None:
    """If not: call ``write_allowlist_schemas`` on the configs folder."""
    published = json.loads((CONFIGS / name).read_text(encoding="utf-8"))
    assert published == allowlist_schemas()[name]


@pytest.mark.parametrize("name", [JOB_SCHEMA, REPO_SCHEMA])
def test_a_schema_is_a_valid_schema(name: str) -> None:
    Draft202012Validator.check_schema(allowlist_schemas()[name])


@pytest.mark.parametrize("name", ["job_allowlist", "repo_allowlist"])
def test_the_shipped_allowlists_name_their_schema_and_satisfy_it(name: str) -> None:
    text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.startswith(f"# yaml-language-server: $schema=./{name}.schema.json\n")
    schema = allowlist_schemas()[f"{name}.schema.json"]
    Draft202012Validator(schema).validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("name", "text", "old", "new"),
    [
        (JOB_SCHEMA, JOBS_YAML, "timeout_s: 60", "timeout: 60"),
        (JOB_SCHEMA, JOBS_YAML, "timeout_s: 60", "timeout_s: soon"),
        (JOB_SCHEMA, JOBS_YAML, "512MiB", "512MB"),
        (JOB_SCHEMA, JOBS_YAML, "version: 1", "version: 2"),
        (JOB_SCHEMA, JOBS_YAML, "  echo:", "  -echo:"),
        (REPO_SCHEMA, REPOS_YAML, "url:", "uri:"),
        (REPO_SCHEMA, REPOS_YAML, "default_branch: main", ""),
    ],
)
def test_an_editor_would_mark_what_the_loader_refuses(
    name: str, text: str, old: str, new: str
) -> None:
    validator = Draft202012Validator(allowlist_schemas()[name])
    assert validator.is_valid(yaml.safe_load(text))
    assert not validator.is_valid(yaml.safe_load(text.replace(old, new)))


def test_writing_publishes_both(tmp_path: Path) -> None:
    write_allowlist_schemas(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {JOB_SCHEMA, REPO_SCHEMA}
