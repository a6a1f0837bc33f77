"""What is wrong with allowlists beyond the form of single entries."""

import pytest

from runner.model.catalog import EnumParam, IntParam, JobType, PatternParam, Repo, ShaParam
from runner.policy.catalog_rules import job_problems, repo_problems
from tests.support.catalogs import WRAPPERS, job_type, repo

TEXT = ShaParam(type="sha")


def wrong_with_job(entry: JobType, *, hidden: tuple[str, ...] = ()) -> list[tuple[str | int, ...]]:
    """The keys at which something is wrong with ``entry``, below its own."""
    found = job_problems(
        {entry.name: entry}, wrappers=WRAPPERS, executable=frozenset(WRAPPERS), hidden=hidden
    )
    return [problem.path[2:] for problem in found]


def wrong_with_repos(*entries: Repo) -> list[tuple[str | int, ...]]:
    """The keys at which something is wrong with ``entries``."""
    found = repo_problems({entry.name: entry for entry in entries}, job_types=["echo"])
    return [problem.path[1:] for problem in found]


def test_usual_entries_are_fine() -> None:
    assert wrong_with_job(job_type(allowed_params={"x": TEXT}, env={"Y": "z"})) == []
    assert wrong_with_repos(repo(jobs=("echo",)), repo("other")) == []


@pytest.mark.parametrize(
    "element",
    [
        "wrappers/none.sh",
        "wrappers/",
        "wrappers//echo.sh",
        "wrappers/./echo.sh",
        "wrappers/ECHO.sh",
    ],
)
def test_a_wrapper_that_is_no_file_is_wrong_wherever_it_stands(element: str) -> None:
    assert wrong_with_job(job_type(argv=(element,))) == [("argv", 0)]
    assert wrong_with_job(job_type(argv=("/bin/sh", element))) == [("argv", 1)]


def test_the_wrapper_that_is_run_needs_its_execute_bit() -> None:
    run, read = job_type(), job_type("read", argv=("/bin/sh", "wrappers/echo.sh"))
    found = job_problems(
        {"run": run, "read": read}, wrappers=WRAPPERS, executable=frozenset(), hidden=()
    )
    assert [problem.path for problem in found] == [("jobs", "run", "argv", 0)]


def test_two_things_that_set_one_variable_are_wrong() -> None:
    assert wrong_with_job(job_type(allowed_params={"run": TEXT, "RUN": TEXT})) == [
        ("allowed_params", "RUN")
    ]
    assert wrong_with_job(job_type(allowed_params={"run": TEXT}, env={"RUN": "x"})) == [
        ("allowed_params", "run")
    ]


def test_a_value_that_no_environment_can_hold_is_wrong() -> None:
    assert wrong_with_job(job_type(env={"X": "a\0b"})) == [("env", "X")]


def test_an_enum_value_of_two_lines_is_wrong() -> None:
    spec = EnumParam(type="enum", values=("fine", "a\nb"))
    assert wrong_with_job(job_type(allowed_params={"x": spec})) == [
        ("allowed_params", "x", "values", 1)
    ]


def test_a_pattern_that_asks_for_unicode_is_wrong() -> None:
    """Matched with the ASCII flag it would be an exception at admission."""
    spec = PatternParam(type="pattern", pattern="(?u)[a-z]+")
    assert wrong_with_job(job_type(allowed_params={"x": spec})) == [
        ("allowed_params", "x", "pattern")
    ]


def test_a_bound_that_nobody_can_reach_is_wrong() -> None:
    spec = IntParam(type="int", min=0, max=10**18)
    assert wrong_with_job(job_type(allowed_params={"x": spec})) == [("allowed_params", "x")]


@pytest.mark.parametrize(
    "folder", ["/proc", "/proc/self", "/dev", "/run/user", "/srv/state", "/srv/state/keys", "/srv"]
)
def test_a_toolchain_shows_neither_the_running_host_nor_the_runners_state(folder: str) -> None:
    wrong = wrong_with_job(job_type(toolchains=(folder,)), hidden=("/srv/state",))
    assert wrong == [("toolchains", 0)]


def test_a_toolchain_beside_the_state_is_fine() -> None:
    assert (
        wrong_with_job(job_type(toolchains=("/srv/state2", "/opt/x")), hidden=("/srv/state",)) == []
    )


def test_a_url_that_is_refused_is_wrong() -> None:
    assert wrong_with_repos(repo(url="ext::sh -c id")) == [("orb", "url")]


def test_two_entries_for_one_repository_are_wrong() -> None:
    twin = repo("twin", url="https://git.example.org/team/orb")
    assert wrong_with_repos(repo(), twin) == [("twin", "url")]


def test_a_job_type_that_does_not_exist_is_wrong() -> None:
    assert wrong_with_repos(repo(jobs=("echo", "ecko"))) == [("orb", "jobs", 1)]


@pytest.mark.parametrize(
    ("default", "allowed"),
    [("main", ("main",)), ("release/1.0", ("release/*",)), ("main", ("*",)), ("v1", ("v[12]",))],
)
def test_a_default_branch_that_is_allowed_is_fine(default: str, allowed: tuple[str, ...]) -> None:
    assert wrong_with_repos(repo(default_branch=default, allowed_branches=allowed)) == []


@pytest.mark.parametrize(
    "default", ["dev", "Main", "release", "release/*", "-x", "", "a..b", "a b"]
)
def test_a_default_branch_that_is_not_allowed_is_wrong(default: str) -> None:
    assert wrong_with_repos(repo(default_branch=default)) == [("orb", "default_branch")]


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "-x",
        "--all",
        "a..b",
        "a b",
        "a\n",
        "a~1",
        "a^",
        "a:b",
        "@",
        "a@{1}",
        "/a",
        "a/",
        "a//b",
        "a.",
        ".a",
        "a/.b",
        "a.lock",
        "a.lock/b",
        "a\\b",
        "\x7f",
    ],
)
def test_what_cannot_be_a_branch_is_wrong(pattern: str) -> None:
    wrong = wrong_with_repos(repo(allowed_branches=("main", pattern)))
    assert wrong == [("orb", "allowed_branches", 1)]
