"""A wrapper may import the runner's own package, and gets nothing else with it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.wrapper_run import WRAPPERS, open_folder

ROOT = WRAPPERS.parent
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from aiops_wrappers.runner_package import make_importable
make_importable(sys.argv[2])
import aiops_wrappers.review_bundle, aiops_wrappers.orb_review_bundle
names = {name.partition(".")[0] for name in sys.modules} - {"__main__"}
print(json.dumps(sorted(names - sys.stdlib_module_names)))
import pydantic
"""


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def imported(home: Path) -> "subprocess.CompletedProcess[str]":
    """Imports what the review wrappers need, as they do; prints what isn't the standard library."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", SCRIPT, str(WRAPPERS / "python"), str(home)],
        capture_output=True,
        text=True,
        cwd="/",
    )


def test_the_review_wrappers_import_the_standard_library_and_the_runner_alone() -> None:
    done = imported(ROOT)
    assert json.loads(done.stdout) == ["aiops_wrappers", "runner"], done.stderr


def test_what_is_installed_beside_the_runner_cannot_be_imported(scratch: Path) -> None:
    shutil.copytree(
        ROOT / "runner", scratch / "runner", ignore=shutil.ignore_patterns("__pycache__")
    )
    (scratch / "pydantic.py").write_text("print('beside')\n")
    (scratch / "json.py").write_text("print('beside')\n")
    done = imported(scratch)
    assert json.loads(done.stdout) == ["aiops_wrappers", "runner"]
    assert "No module named 'pydantic'" in done.stderr


@pytest.mark.parametrize("home", ["", "/nowhere"])
def test_a_package_that_is_not_there_is_said(home: str) -> None:
    done = imported(Path(home))
    assert "AIOPS_RUNNER is " in done.stderr
