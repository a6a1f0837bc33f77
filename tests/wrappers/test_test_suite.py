"""``test_suite`` runs the repository's own pytest from a read-only tree, and counts it."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.orb_repo import commit_all, put
from tests.support.wrapper_run import open_folder, run_wrapper

PASSES = "def test_it() -> None:\n    assert True\n"
FAILS = "def test_it() -> None:\n    assert 1 == 2\n"


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def repo(scratch: Path) -> Path:
    return scratch / "orb"


def test_a_passing_suite_is_0_and_leaves_its_junit_file(repo: Path, scratch: Path) -> None:
    put(repo, "tests/test_a.py", PASSES)
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 0, run.stdout
    suite = next(ET.parse(run.artifacts / "junit.xml").iter("testsuite"))
    assert suite.get("tests") == "1"
    text = run.text("TEST_SUMMARY.txt")
    assert "tests: 1, passed: 1, failed: 0, errors: 0, skipped: 0\n" in text


def test_a_failing_suite_is_1_and_names_what_failed(repo: Path, scratch: Path) -> None:
    put(repo, "tests/test_a.py", FAILS)
    put(repo, "tests/test_b.py", "import pytest\n\n@pytest.mark.skip\ndef test_b(): ...\n")
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 1
    text = run.text("TEST_SUMMARY.txt")
    assert "tests: 2, passed: 0, failed: 1, errors: 0, skipped: 1\n" in text
    assert "failed: tests.test_a::test_it\n" in text


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("README.md", "no tests\n"),
        ("pytest.ini", "[pytest]\naddopts = --collect-only\n"),
    ],
)
def test_a_run_without_a_single_test_is_no_success(
    repo: Path, scratch: Path, path: str, content: str
) -> None:
    if path == "pytest.ini":
        put(repo, "tests/test_a.py", PASSES)
    put(repo, path, content)
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 1
    assert "NO_TESTS: " in run.text("TEST_SUMMARY.txt")


def test_a_suite_that_ends_the_interpreter_with_0_is_no_success(repo: Path, scratch: Path) -> None:
    put(repo, "tests/test_a.py", "import os\n\ndef test_it():\n    os._exit(0)\n")
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 1
    assert "JUNIT_UNREADABLE: " in run.text("TEST_SUMMARY.txt")


def test_what_cant_be_collected_ends_with_pytests_own_code(repo: Path, scratch: Path) -> None:
    put(repo, "tests/test_a.py", "import not_there\n")
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 2
    assert "errors: 1" in run.text("TEST_SUMMARY.txt")


@pytest.mark.parametrize("folder", ["", "src/"])
def test_the_package_of_the_checkout_is_importable(repo: Path, scratch: Path, folder: str) -> None:
    """At the top and in the src layout, in pytest's process and in those that tests start."""
    put(repo, f"{folder}orb_package/__init__.py", "WHERE = __file__\n")
    put(
        repo,
        "tests/test_a.py",
        "import subprocess, sys\n\nimport orb_package\n\n"
        "def test_it():\n    assert orb_package.WHERE.startswith(sys.argv[0][:0] + '/')\n"
        "    subprocess.run([sys.executable, '-c', 'import orb_package'], check=True, cwd='/')\n",
    )
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 0, run.stdout


def test_the_checkouts_package_wins_over_an_installed_one(repo: Path, scratch: Path) -> None:
    """Else a release that happens to be installed would be tested in its place."""
    put(repo, "yaml/__init__.py", "MINE = True\n")
    put(repo, "tests/test_a.py", "import yaml\n\ndef test_it():\n    assert yaml.MINE\n")
    commit_all(repo)
    assert run_wrapper("test_suite", repo, scratch).exit_code == 0


def test_files_of_the_checkout_dont_replace_what_pytest_is_made_of(
    repo: Path, scratch: Path
) -> None:
    for name in ("json", "pytest", "pluggy", "sitecustomize", "usercustomize", "contract"):
        put(repo, f"{name}.py", "raise SystemExit('hijacked')\n")
    put(repo, "aiops_wrappers/__init__.py", "raise SystemExit('hijacked')\n")
    put(repo, "tests/test_a.py", "import json\n\ndef test_it():\n    assert json.loads('1') == 1\n")
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 0, run.stdout
    assert "hijacked" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("test_path", "tests"), [("tests/test_a.py", 1), ("tests/test_b.py::test_two", 1), ("tests", 3)]
)
def test_test_path_chooses_what_runs(repo: Path, scratch: Path, test_path: str, tests: int) -> None:
    put(repo, "tests/test_a.py", PASSES)
    put(repo, "tests/test_b.py", "def test_one(): ...\ndef test_two(): ...\n")
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch, params={"test_path": test_path})
    assert run.exit_code == 0, run.stdout
    assert f"tests: {tests}, " in run.text("TEST_SUMMARY.txt")


@pytest.mark.parametrize(
    "test_path", ["-x", "--version", "@args", "/etc", "../orb2", "tests/../../x", "gone.py", "out"]
)
def test_a_test_path_that_isnt_one_of_the_tree_is_refused(
    repo: Path, scratch: Path, test_path: str
) -> None:
    put(repo, "tests/test_a.py", PASSES)
    (repo / "out").symlink_to("/etc")
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch, params={"test_path": test_path})
    assert run.exit_code == 2
    assert "test_path is " in run.stderr
    assert not (run.artifacts / "junit.xml").exists()


def test_pytests_caches_go_elsewhere_also_where_its_configuration_needs_them(
    repo: Path, scratch: Path
) -> None:
    put(repo, "pytest.ini", "[pytest]\naddopts = --ff --strict-config -W error\n")
    put(repo, "tests/test_a.py", "def test_it(tmp_path, cache):\n    cache.set('a/b', 1)\n")
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 0, run.stdout
    found = {path.name for path in repo.rglob("*")}
    assert not found & {"__pycache__", ".pytest_cache", ".hypothesis"}


@pytest.mark.needs_bubblewrap
def test_a_conftest_that_writes_into_the_tree_fails(repo: Path, scratch: Path) -> None:
    put(repo, "conftest.py", "open('written.txt', 'w').close()\n")
    put(repo, "tests/test_a.py", PASSES)
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 4
    assert "Read-only file system" in run.stdout + run.stderr
    assert not (repo / "written.txt").exists()


def test_a_junit_file_that_the_tests_replaced_is_no_success(repo: Path, scratch: Path) -> None:
    """An entity bomb, put there after pytest wrote its own, behind a long comment."""
    put(
        repo,
        "tests/test_a.py",
        "import atexit, os\n\n"
        "def forge():\n    with open(os.environ['ARTIFACT_DIR'] + '/junit.xml', 'w') as file:\n"
        "        file.write('<!--' + 'x' * 9000 + '--><!DOCTYPE a [<!ENTITY b \"bb\">]><testsuite>&b;</testsuite>')\n\n"
        "atexit.register(forge)\n\ndef test_it(): ...\n",
    )
    commit_all(repo)
    run = run_wrapper("test_suite", repo, scratch)
    assert run.exit_code == 1
    assert "document type" in run.text("TEST_SUMMARY.txt")
