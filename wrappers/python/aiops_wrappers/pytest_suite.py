"""``test_suite``: does the repository's own pytest suite pass?"""

import os
import subprocess
import sys
from pathlib import Path

from aiops_wrappers.contract import ContractError, Job
from aiops_wrappers.junit import JunitError, Results, read_results
from aiops_wrappers.output import Output

CHILD = Path(__file__).resolve().parent.parent / "pytest_child.py"
MEANINGS = {
    0: "all passed",
    1: "tests failed",
    2: "interrupted, or tests couldn't be collected",
    3: "an internal error of pytest or a plugin",
    4: "pytest was called wrongly: see its configuration",
    5: "no tests were collected",
}


def run(job: Job) -> int:
    """pytest's own exit code, except that a run without a single test is a failure, 1."""
    junit = job.artifacts / "junit.xml"
    command = [job.python, "-I", "-B", str(CHILD), *_arguments(job, junit)]
    sys.stdout.flush()
    pytest_code = subprocess.run(
        command, cwd=job.checkout, env=_environment(job), stdin=subprocess.DEVNULL, check=False
    ).returncode
    try:
        results = read_results(junit)
        problem = ""
    except JunitError as error:
        results, problem = None, str(error)
    with Output(job.artifacts, "TEST_SUMMARY.txt") as output:
        return _conclude(job, output, pytest_code, results, problem)


def _arguments(job: Job, junit: Path) -> list[str]:
    """Everything that pytest would write goes to the job's own folders.

    The cache plugin stays on, elsewhere: a configuration that says ``--ff`` needs it.
    """
    arguments = [
        f"--rootdir={job.checkout}",
        f"--basetemp={job.tmp / 'pytest'}",
        f"--junitxml={junit}",
        f"--override-ini=cache_dir={job.tmp / 'pytest-cache'}",
    ]
    wanted = job.param("test_path")
    if wanted:
        arguments.append(_checked(job, wanted))
    return arguments


def _checked(job: Job, wanted: str) -> str:
    """``wanted`` (a path, or a node id) if it names something inside the checkout.

    Raises:
        ContractError: an option, an argument file (``@``), or a place elsewhere.
    """
    if wanted.startswith(("-", "@", "/")):
        raise ContractError(f"test_path is {wanted!r}, expected a path inside the repository")
    real = (job.checkout / wanted.partition("::")[0]).resolve()
    if not real.is_relative_to(job.checkout.resolve()):
        raise ContractError(f"test_path is {wanted!r}, which leaves the repository")
    if not real.exists():
        raise ContractError(f"test_path is {wanted!r}, which this commit doesn't have")
    return wanted


def _environment(job: Job) -> dict[str, str]:
    """The job's environment, with the caches of common tools moved to folders that vanish.

    ``PYTHONPATH`` is for Python processes that the tests start; pytest itself ignores it.
    """
    places = [str(job.checkout / "src")] if (job.checkout / "src").is_dir() else []
    return {
        **job.environment,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([*places, str(job.checkout)]),
        "COVERAGE_FILE": str(job.tmp / "coverage"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(job.tmp / "hypothesis"),
        "MYPY_CACHE_DIR": str(job.tmp / "mypy"),
        "RUFF_CACHE_DIR": str(job.tmp / "ruff"),
    }


def _conclude(
    job: Job, output: Output, pytest_code: int, results: Results | None, problem: str
) -> int:
    exit_code = pytest_code if pytest_code >= 0 else 128 - pytest_code
    output.say(f"test_suite: {job.repo} at {job.sha}")
    output.say(f"pytest: exit code {exit_code}, {MEANINGS.get(exit_code, 'ended by a signal')}")
    if results is not None:
        output.say(
            f"tests: {results.tests}, passed: {results.passed}, failed: {results.failed},"
            f" errors: {results.errors}, skipped: {results.skipped}"
        )
        for line in results.trouble:
            output.say(line)
    elif exit_code in (0, 1, 5):
        output.say(f"JUNIT_UNREADABLE: {problem}")
    if exit_code == 5 or (exit_code == 0 and results is not None and results.tests == 0):
        output.say("NO_TESTS: not a single test ran, which is counted as a failure")
        return 1
    if exit_code == 0 and results is None:
        output.say("a success that left no account of its tests is counted as a failure")
        return 1
    return exit_code
