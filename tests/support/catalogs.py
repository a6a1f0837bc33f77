"""Catalogs, requests and configuration folders for tests about what is allowed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.model.canonical import canonical_sha256
from runner.model.catalog import Catalog, JobType, Repo
from runner.model.job import JobPlan, JobRequest
from runner.policy.admission import admit
from runner.settings import Settings, load_settings

SHA = "0123456789abcdef0123456789abcdef01234567"
JOB_ID = "20250102-030405-0123456789"
NOW = datetime(2025, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
WRAPPERS = {"echo.sh": "a" * 64}

JOBS_YAML = """\
# yaml-language-server: $schema=./job_allowlist.schema.json
version: 1
jobs:
  echo:
    argv: [wrappers/echo.sh]
    timeout_s: 60
    allowed_params:
      run_id:
        type: pattern
        pattern: "[a-z]+"
    limits:
      memory_bytes: 512MiB
"""
REPOS_YAML = """\
# yaml-language-server: $schema=./repo_allowlist.schema.json
version: 1
repos:
  orb:
    url: git@git.example.org:team/orb.git
    allowed_branches: [main, "release/*"]
    default_branch: main
"""


def job_type(name: str = "echo", **fields: Any) -> JobType:
    """A job type that runs the one wrapper, with ``fields`` replaced."""
    usual: dict[str, Any] = {"name": name, "argv": ("wrappers/echo.sh",), "timeout_s": 60}
    return JobType(**(usual | fields))


def repo(name: str = "orb", **fields: Any) -> Repo:
    """An entry of the repository allowlist, with ``fields`` replaced."""
    usual: dict[str, Any] = {
        "name": name,
        "url": f"git@git.example.org:team/{name}.git",
        "allowed_branches": ("main", "release/*"),
        "default_branch": "main",
    }
    return Repo(**(usual | fields))


def catalog(*entries: JobType | Repo, **fields: Any) -> Catalog:
    """A catalog of ``entries``; of one echo job and one repository if there are none."""
    entries = entries or (job_type(), repo())
    usual: dict[str, Any] = {
        "job_types": {entry.name: entry for entry in entries if isinstance(entry, JobType)},
        "repos": {entry.name: entry for entry in entries if isinstance(entry, Repo)},
        "allowlist_hash": "b" * 64,
        "wrappers": WRAPPERS,
        "wrappers_hash": canonical_sha256(WRAPPERS),
    }
    return Catalog(**(usual | fields))


def request(**fields: Any) -> JobRequest:
    """A request for the echo job on the listed repository, with ``fields`` replaced."""
    return JobRequest(**({"job_type": "echo", "repo_name": "orb", "sha": SHA} | fields))


def admitted(
    asked: JobRequest, allowed: Catalog | None = None, *, local_path: str | None = None
) -> JobPlan:
    """The plan of ``asked``, at a fixed time."""
    return admit(
        asked,
        allowed or catalog(),
        job_id=JOB_ID,
        now=NOW,
        trace_id="trace",
        local_path=local_path,
    )


def write_configuration(
    folder: Path, *, jobs: str | bytes = JOBS_YAML, repos: str | bytes = REPOS_YAML
) -> Settings:
    """Writes a configuration that loads, with files replaced, and gives the settings for it."""
    configs, wrappers = folder / "configs", folder / "wrappers"
    configs.mkdir()
    wrappers.mkdir()
    for name, content in (("job_allowlist.yaml", jobs), ("repo_allowlist.yaml", repos)):
        raw = content if isinstance(content, bytes) else content.encode()
        (configs / name).write_bytes(raw)
    (wrappers / "echo.sh").write_text("#!/bin/sh\necho\n")
    (wrappers / "echo.sh").chmod(0o755)
    environ = {"AIOPS_CONFIG_DIR": str(configs), "AIOPS_STATE_DIR": str(folder / "state")}
    return load_settings(environ, uid=1000)
