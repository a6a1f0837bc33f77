"""``local_echo`` says what it was given."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.orb_repo import build_orb_repo, git
from tests.support.wrapper_run import open_folder, run_wrapper


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def test_it_prints_and_keeps_what_it_was_given(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    run = run_wrapper("local_echo", repo, scratch, params={"message": "hello * there"})
    assert run.exit_code == 0, run.stderr
    assert run.stdout == run.text("ECHO.txt")
    assert "repo: orb\n" in run.stdout
    assert f"sha: {git(repo, 'rev-parse', 'HEAD')}\n" in run.stdout
    assert "message: hello * there\n" in run.stdout
    assert f"params.json: {run.text('params.json')}" in run.stdout


def test_the_same_job_twice_says_the_same(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    first, second = (run_wrapper("local_echo", repo, scratch) for _ in range(2))
    assert first.stdout == second.stdout


def test_outside_a_job_it_says_so(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    run = run_wrapper("local_echo", repo, scratch, environment={"ARTIFACT_DIR": ""})
    assert run.exit_code == 2
    assert "ARTIFACT_DIR" in run.stderr
