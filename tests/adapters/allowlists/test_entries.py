"""Entries of the allowlists as nouns, and the words for what is wrong with them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.adapters.allowlists.document import Document, read_document
from runner.adapters.allowlists.entries import job_types_of, repos_of
from runner.adapters.allowlists.sizes import size_bytes
from tests.support.catalogs import JOBS_YAML, REPOS_YAML


def document(folder: Path, text: str) -> Document:
    """A file with that text, read."""
    file = folder / "x.yaml"
    file.write_text(text)
    return read_document(file)


def job_errors(folder: Path, old: str, new: str) -> list[str]:
    """What is said about the usual job allowlist with ``old`` replaced, without the file."""
    assert old in JOBS_YAML
    read = document(folder, JOBS_YAML.replace(old, new))
    _, problems = job_types_of(read)
    return [read.describe(problem).removeprefix(f"{read.file}:") for problem in problems]


def test_a_job_type_is_read_with_its_sizes(tmp_path: Path) -> None:
    entries, problems = job_types_of(document(tmp_path, JOBS_YAML))
    assert problems == []
    assert entries["echo"].name == "echo"
    assert entries["echo"].limits.memory_bytes == 512 * 1024 * 1024
    assert entries["echo"].requires_repo_allowlist


def test_a_repository_is_read(tmp_path: Path) -> None:
    entries, problems = repos_of(document(tmp_path, REPOS_YAML))
    assert problems == []
    assert entries["orb"].allowed_branches == ("main", "release/*")
    assert entries["orb"].jobs is None


def test_no_repository_at_all_is_said_by_an_empty_mapping(tmp_path: Path) -> None:
    assert repos_of(document(tmp_path, "version: 1\nrepos: {}\n")) == ({}, [])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("timeout_s: 60", "timeout_s: abc", "6: key 'jobs.echo.timeout_s': got 'abc', expected"),
        ("timeout_s: 60", "timeout_s: '60'", "6: key 'jobs.echo.timeout_s': got '60', expected"),
        ("timeout_s: 60", "timeout_s: true", "6: key 'jobs.echo.timeout_s': got True, expected"),
        ("timeout_s: 60", "timeout_s: 0", "6: key 'jobs.echo.timeout_s': got 0, expected greater"),
        ("timeout_s: 60", "timeout_s:", "6: key 'jobs.echo.timeout_s': got nothing, expected"),
        ("    timeout_s: 60\n", "", "4: key 'jobs.echo.timeout_s': missing"),
        ("[wrappers/echo.sh]", "wrappers/echo.sh", "5: key 'jobs.echo.argv': got 'wrappers/"),
        ("[wrappers/echo.sh]", "[]", "5: key 'jobs.echo.argv': empty"),
        ("[wrappers/echo.sh]", "[echo]", "5: key 'jobs.echo.argv': got 'echo' first"),
        ("[wrappers/echo.sh]", "[wrappers/../x]", "5: key 'jobs.echo.argv': 'wrappers/../x' leav"),
        ("[wrappers/echo.sh]", "[/bin/sh, 1]", "5: key 'jobs.echo.argv[1]': got 1, expected"),
        ("memory_bytes: 512MiB", "memory_bytes: 512MB", "12: key 'jobs.echo.limits.memory_bytes'"),
        ("memory_bytes: 512MiB", "memory_byte: 1", "did you mean 'memory_bytes'?"),
        ("memory_bytes: 512MiB", "processes: 9MiB", "12: key 'jobs.echo.limits.processes': got"),
        ("    limits:\n", "    limit:\n", "11: key 'jobs.echo.limit': unknown key, did you mean"),
        ("type: pattern", "type: patern", "9: key 'jobs.echo.allowed_params.run_id.type': got"),
        ("        type: pattern\n", "", "8: key 'jobs.echo.allowed_params.run_id.type': missing"),
        ('pattern: "[a-z]+"', 'pattern: "["', "10: key 'jobs.echo.allowed_params.run_id.pattern'"),
        ('pattern: "[a-z]+"', "patern: x", "unknown key, did you mean 'pattern'?"),
        ("run_id:", "ld_preload:", "7: key 'jobs.echo.allowed_params': 'ld_preload' would steer"),
        ("    limits:\n", "    env: {A: 1}\n    limits:\n", "11: key 'jobs.echo.env.A': got 1,"),
        ("    limits:\n", "    env: {PATH: x}\n    limits:\n", "'PATH' would steer"),
        (
            "    limits:\n",
            "    network: full\n    limits:\n",
            "key 'jobs.echo.network': got 'full'",
        ),
        ("    limits:\n", "    name: x\n    limits:\n", "an entry's name is the key"),
        ("  echo:", "  -echo:", "4: key 'jobs.-echo': got a name that isn't"),
        ("  echo:", '  "echo\\n":', "got a name that isn't"),
        ("  echo:", "  none:\n  echo:", "4: key 'jobs.none': got nothing, expected a mapping"),
        ("  echo:", "  one: 1\n  echo:", "4: key 'jobs.one': got 1, expected a mapping"),
        ("jobs:", "job:", "3: key 'job': unknown key, did you mean 'jobs'?"),
        ("version: 1\n", "", "key 'version': missing, expected 1"),
        ("version: 1", "version: 2", "2: key 'version': got 2, expected 1"),
        ("version: 1", "version: true", "2: key 'version': got True, expected 1"),
        ("version: 1", 'version: "1"', "2: key 'version': got '1', expected 1"),
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_says_file_line_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    errors = job_errors(tmp_path, old, new)
    assert any(expected in error for error in errors), errors


def test_everything_that_is_wrong_is_listed(tmp_path: Path) -> None:
    text = "version: 2\njobs:\n  a: {argv: [x], timeout_s: no, foo: 1}\n  b:\nmore: 1\n"
    read = document(tmp_path, text)
    entries, problems = job_types_of(read)
    assert entries == {}
    paths = {problem.path for problem in problems}
    assert paths == {
        ("version",),
        ("more",),
        ("jobs", "a", "argv"),
        ("jobs", "a", "timeout_s"),
        ("jobs", "a", "foo"),
        ("jobs", "b"),
    }


@pytest.mark.parametrize(
    "text", ["version: 1\nrepos:\n", "version: 1\nrepos: []\n", "version: 1\n"]
)
def test_a_section_that_is_no_mapping_is_not_an_empty_allowlist(tmp_path: Path, text: str) -> None:
    _, problems = repos_of(document(tmp_path, text))
    assert [problem.path for problem in problems] == [("repos",)]


@given(st.integers(1, 999), st.sampled_from([("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)]))
def test_a_size_is_a_number_with_a_binary_unit(number: int, unit: tuple[str, int]) -> None:
    assert size_bytes(f"{number}{unit[0]}") == number << unit[1]


@pytest.mark.parametrize(
    "text",
    ["", "1", "1MB", "1 MiB", "1mib", "-1MiB", "0MiB", "1.5MiB", "MiB", "1MiB\n", "\u0661MiB"],
)
def test_anything_else_is_no_size(text: str) -> None:
    assert size_bytes(text) is None
