"""What every verb shares: help that comes at once, a version, errors as one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, CommandLine, ended

VERBS = ("run", "plan", "list", "show", "logs", "artifacts", "verify", "config", "doctor", "gc")
HEAVY = ("pydantic_settings", "rq", "redis", "git", "fastapi", "cryptography", "yaml")

IMPORTED = """
import sys
sys.argv = ["runner", *sys.argv[1:]]
from runner.cli import main
code = main()
print("\\n".join(sorted(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def imported_by(*arguments: str) -> set[str]:
    """The modules that are there when ``runner arguments`` ends."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help")])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Imports are what a quick command spends its time on."""
    imported = imported_by(*arguments)
    assert imported.isdisjoint(HEAVY)
    if arguments != ("run", "--help"):  # typer itself wants it for the types of options
        assert "pydantic" not in imported


def test_looking_at_jobs_needs_neither_git_nor_the_queue(cli: CommandLine) -> None:
    assert cli("list").exit_code == 0
    argv = [sys.executable, "-c", IMPORTED, "list"]
    with cli.started(argv) as process:
        done = ended(process)
    assert set(done.stderr.split()).isdisjoint({"git", "fastapi", "uvicorn"})


def test_help_names_every_verb_and_the_exit_codes(cli: CommandLine) -> None:
    done = cli("--help")
    assert done.exit_code == 0
    for verb in VERBS:
        assert f"\n  {verb} " in done.stdout
    for code in ("0 success", "5 an invariant", "75 try again", "124 deadline", "130 interrupted"):
        assert code in " ".join(done.stdout.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(cli: CommandLine, verb: str) -> None:
    done = cli(verb, "--help")
    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: runner")
    assert done.stderr == ""


def test_no_verb_shows_the_help(cli: CommandLine) -> None:
    done = cli()
    assert "Usage: runner" in done.stdout + done.stderr
    assert done.exit_code in (0, 2)


def test_the_version_is_that_of_the_package(cli: CommandLine) -> None:
    from runner import __version__

    assert cli("--version").stdout == f"ai-ops-runner {__version__}\n"


READERS = [("list",), ("config",), ("config", "--schema", "artifact"), ("--help",)]


@pytest.mark.parametrize("arguments", READERS, ids="_".join)
def test_a_closed_pipe_is_no_failure_of_ours(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    with cli.started(cli.argv(*arguments)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
        code = process.wait(30)
    assert said == ""
    assert code == 141


def test_a_full_disk_under_the_output_is_told(cli: CommandLine) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            cli.argv("config"),
            cwd=cli.shop.folder,
            env=cli.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 3
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


BROKEN = {
    "misspelt_setting": ({"AIOPS_STATE_DRI": "/x"}, ("SETTING_UNKNOWN", "AIOPS_STATE_DIR")),
    "relative_folder": ({"AIOPS_STATE_DIR": "x"}, ("AIOPS_STATE_DIR", "'x'", "absolute")),
    "not_a_number": ({"AIOPS_SNAPSHOT_LIMIT": "many"}, ("AIOPS_SNAPSHOT_LIMIT", "many")),
    "no_allowlist": ({"AIOPS_CONFIG_DIR": "/nowhere"}, ("CONFIG_MISSING", "/nowhere")),
}


@pytest.mark.parametrize(("environment", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_configuration_names_what_to_mend(
    cli: CommandLine, environment: dict[str, str], words: tuple[str, ...]
) -> None:
    done = cli.run("echo", env=environment)
    assert done.exit_code == 2, done
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_folder_that_somebody_else_may_write_is_refused(cli: CommandLine) -> None:
    open_to_all = cli.shop.folder / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    done = cli("list", env={"AIOPS_STATE_DIR": str(open_to_all)})
    assert done.exit_code == 2
    assert "STATE_DIR_UNUSABLE" in done.stderr
    assert list(Path(open_to_all).iterdir()) == []
