"""The book of skipped tests tells the truth, also when pytest runs in several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.skip_ledger import BACKENDS, Ledger, main, problems, read_allowed

ROOT = Path(__file__).parents[2]
WHOLE = Ledger(passed=9, exercised=dict.fromkeys(BACKENDS, 1))
SOME_TESTS = """
import pytest

@pytest.fixture(params=["bubblewrap", "landlock"])
def backend_name(request):
    return request.param

def test_inside(backend_name):
    assert backend_name == "bubblewrap", "the other one fails, so it wasn't exercised"

@pytest.mark.needs_landlock
def test_marked():
    pass

def test_elsewhere():
    pytest.skip("no such thing here")
"""
SKIPPED_MODULE = """
import pytest

pytest.skip("the whole of it", allow_module_level=True)
"""


def _book(folder: Path, *options: str) -> dict[str, object]:
    (folder / "test_some.py").write_text(SOME_TESTS)
    (folder / "test_module.py").write_text(SKIPPED_MODULE)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    needs_landlock: x\n")
    book = folder / "book.json"
    command = (sys.executable, "-m", "pytest", "-p", "tests.support.skip_ledger")
    subprocess.run(
        (*command, "-p", "no:cacheprovider", f"--skip-ledger={book}", *options, "."),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=100,
    )
    written: dict[str, object] = json.loads(book.read_text())
    return written


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["one process", "two processes"])
def test_the_book_holds_every_skip_and_what_was_really_exercised(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    assert _book(tmp_path, *options) == {
        "passed": 2,
        "skipped": {
            "test_module.py": "the whole of it",
            "test_some.py::test_elsewhere": "no such thing here",
        },
        "exercised": {"bubblewrap": 1, "landlock": 1},
    }


def test_a_whole_run_has_no_problem() -> None:
    assert problems(WHOLE, (), "root") == ()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_that_no_test_ran_in_is_a_problem(backend: str) -> None:
    ledger = Ledger(passed=9, exercised={**WHOLE.exercised, backend: 0})
    assert problems(ledger, (), "root") == (f"{backend} was not exercised by any test",)


def test_a_run_without_tests_is_a_problem() -> None:
    assert "no test passed" in problems(Ledger(), (), "root")


def test_a_skip_is_a_problem_unless_the_list_names_it_for_this_user() -> None:
    ledger = Ledger(passed=9, exercised=WHOLE.exercised, skipped={"tests/x.py::t[a]": "why"})
    (entry,) = read_allowed("user tests/x.py::t[a] # only root can\n")
    assert problems(ledger, (entry,), "user") == ()
    assert problems(ledger, (entry,), "root") == (
        "skipped, and not on the list: tests/x.py::t[a] (why)",
    )


@pytest.mark.parametrize(
    "line", ["root tests/x.py", "tests/x.py # why", "all tests/x.py # why", "root x #  "]
)
def test_a_line_without_a_reason_or_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        read_allowed(line)


def test_the_committed_list_can_be_read() -> None:
    read_allowed((ROOT / "tests/allowed_skips.txt").read_text(encoding="utf-8"))


def test_the_script_fails_on_an_unfinished_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = tmp_path / "book.json"
    book.write_text(json.dumps({"passed": 1, "skipped": {}, "exercised": {"bubblewrap": 1}}))
    assert main([str(book), "--as", "root"]) == 1
    assert "landlock" in capsys.readouterr().err
