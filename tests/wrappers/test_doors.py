"""The shipped job types: each entry of the allowlist has its door, and each door its Python."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.model.catalog import JobType
from tests.support.orb_repo import build_orb_repo
from tests.support.wrapper_run import WRAPPERS, open_folder, run_wrapper

ALLOWLIST = WRAPPERS.parent / "configs" / "job_allowlist.yaml"
DOORS = sorted(WRAPPERS.glob("*.sh"))
MEBIBYTES = re.compile(r"([0-9]+)MiB")


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def entries() -> dict[str, dict[str, Any]]:
    """The jobs of the shipped allowlist, sizes as numbers."""
    document = yaml.safe_load(ALLOWLIST.read_text())
    assert document["version"] == 1
    for entry in document["jobs"].values():
        for key, value in entry.get("limits", {}).items():
            if isinstance(value, str) and (size := MEBIBYTES.fullmatch(value)):
                entry["limits"][key] = int(size[1]) * 1024 * 1024
    jobs: dict[str, dict[str, Any]] = document["jobs"]
    return jobs


def test_the_shipped_allowlist_is_valid_and_names_its_schema() -> None:
    first = ALLOWLIST.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=./job_allowlist.schema.json"
    for name, entry in entries().items():
        JobType.model_validate_json(json.dumps({"name": name, **entry}))


def test_every_entry_has_its_door_and_every_door_its_entry() -> None:
    named = {entry["argv"][0] for entry in entries().values()}
    assert named == {f"wrappers/{door.name}" for door in DOORS}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.stem)
def test_a_door_is_short_executable_strict_and_described(door: Path) -> None:
    lines = door.read_text().splitlines()
    assert door.stat().st_mode & 0o111 == 0o111
    assert len(lines) < 40
    assert any(re.fullmatch(r"set -eu(o pipefail)?", line) for line in lines)
    assert [line[:6] for line in lines[1:3]] == ["# What", "# Argu"]
    assert any(line.startswith("# Exit codes: ") for line in lines)


@pytest.mark.parametrize("name", [door.stem for door in DOORS if door.stem != "local_echo"])
@pytest.mark.parametrize("missing", ["AIOPS_PYTHON", "AIOPS_WRAPPERS", "ARTIFACT_DIR"])
def test_outside_a_job_a_door_says_what_is_missing(scratch: Path, name: str, missing: str) -> None:
    repo = build_orb_repo(scratch / "orb")
    run = run_wrapper(name, repo, scratch, environment={missing: ""})
    assert run.exit_code != 0
    assert missing in run.stderr


@pytest.mark.parametrize("name", ["review_bundle", "orb_review_bundle"])
def test_a_door_without_the_runners_package_says_so(scratch: Path, name: str) -> None:
    repo = build_orb_repo(scratch / "orb")
    run = run_wrapper(name, repo, scratch, environment={"AIOPS_RUNNER": ""})
    assert (run.exit_code, "AIOPS_RUNNER is ''" in run.stderr) == (2, True)


@pytest.mark.parametrize("name", [door.stem for door in DOORS])
def test_nothing_of_the_checkout_is_imported_by_a_wrapper(scratch: Path, name: str) -> None:
    """Python's start-up files, and modules named like ours and the standard library's."""
    repo = build_orb_repo(scratch / "orb", harness="ops/score_run.sh")
    evil = "import os\nos.write(2, b'hijacked')\nos._exit(66)\n"
    for module in ("json", "os", "re", "sitecustomize", "usercustomize", "__main__", "junit"):
        (repo / f"{module}.py").write_text(evil)
    for package in ("runner", "aiops_wrappers", "python", "wrappers"):
        (repo / package).mkdir()
        (repo / package / "__init__.py").write_text(evil)
        (repo / package / "__main__.py").write_text(evil)
    (repo / "pyvenv.cfg").write_text("home = /nowhere\n")
    run = run_wrapper(name, repo, scratch, environment={"PYTHONPATH": str(repo)})
    assert run.exit_code in (0, 1), run.stderr
    assert "hijacked" not in run.stdout + run.stderr


def test_wrappers_leave_no_bytecode_beside_themselves(scratch: Path) -> None:
    """The folder is hashed into every plan: a file that appears there would change the plan."""
    before = sorted(WRAPPERS.rglob("*"))
    run_wrapper("repo_doctor", build_orb_repo(scratch / "orb"), scratch)
    assert sorted(WRAPPERS.rglob("*")) == before


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("tests/test_a.py::TestX::test_y[a-1]", True),
        ("src", True),
        ("-x", False),
        ("--pdb", False),
        ("@file", False),
        ("/etc/passwd", False),
        ("tests/a b", False),
        ("tests\n", False),
        ("", False),
    ],
)
def test_test_paths_pattern_takes_paths_and_no_options(value: str, fits: bool) -> None:
    pattern = entries()["test_suite"]["allowed_params"]["test_path"]["pattern"]
    assert (re.fullmatch(pattern, value) is not None) == fits
