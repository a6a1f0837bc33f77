"""A machine or an installation that can't confine: nothing runs, and the remedy is told."""

import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.adapters.sandbox.bubblewrap import BubblewrapBackend
from runner.bootstrap import Runner
from runner.model.job import Reason, Status
from runner.settings import load_settings
from tests.support.command_line import CommandLine, ended

ONLY = "AIOPS_SANDBOX_BACKENDS"


@pytest.fixture
def without_bubblewrap() -> list[str]:
    """What starts a command in a view of this machine in which ``bwrap`` is an empty file."""
    hidden = os.path.realpath(shutil.which("bwrap") or "/usr/bin/bwrap")
    whole = ("--dev-bind", "/", "/", "--die-with-parent")
    return [hidden, *whole, "--ro-bind", "/dev/null", hidden]


def marked(cli: CommandLine) -> Path:
    """Adds a job type whose wrapper leaves its mark if it ever runs."""
    mark = cli.shop.folder / "ran"
    cli.shop.add("marks", f"echo ran; touch {mark}; echo ran > $ARTIFACT_DIR/ran")
    return mark


def refused(cli: CommandLine, argv: list[str], mark: Path, *, env: Mapping[str, str]) -> str:
    """Runs a job that must not run; what was said of it."""
    with cli.started(argv, env=env) as process:
        done = ended(process)
    assert done.exit_code == 3, done
    record = json.loads(done.stdout)
    assert (record["status"], record["reason"]) == (Status.ERROR, Reason.SANDBOX_UNAVAILABLE)
    assert record["exit_code"] is None
    assert record["outputs"] == []
    assert not mark.exists()
    artifact = cli.shop.checked(record["job_id"])
    assert artifact.logs.stdout.bytes == 0
    assert all(held is None for _, held in artifact.invariants)
    return str(record["detail"])


@pytest.mark.needs_bubblewrap
def test_bubblewrap_that_is_not_there_is_not_replaced_by_nothing(
    cli: CommandLine, without_bubblewrap: list[str]
) -> None:
    mark = marked(cli)
    argv = [*without_bubblewrap, *cli.argv(*cli.job("marks", "--json"))]
    detail = refused(cli, argv, mark, env={"AIOPS_SANDBOX_BACKENDS": "bubblewrap"})
    assert "install bubblewrap" in detail


@pytest.mark.needs_bubblewrap
@pytest.mark.needs_landlock
def test_still_runs_by_landlock_where_that_is_allowed_too(
    cli: CommandLine, without_bubblewrap: list[str]
) -> None:
    argv = [*without_bubblewrap, *cli.argv(*cli.job("echo", "--json"))]
    with cli.started(argv) as process:
        done = ended(process)
    assert done.exit_code == 0, done
    assert json.loads(done.stdout)["sandbox"]["confinement"]["backend"] == "landlock"


def test_a_level_that_no_backend_reaches(cli: CommandLine) -> None:
    mark = marked(cli)
    argv = cli.argv(*cli.job("marks", "--json"))
    detail = refused(
        cli, argv, mark, env={"AIOPS_SANDBOX_BACKENDS": "landlock", "AIOPS_SANDBOX_MIN_LEVEL": "3"}
    )
    assert "level 3" in detail
    assert "host_in_view" in detail


def test_the_backend_none_does_not_reach_the_default_level(cli: CommandLine) -> None:
    mark = marked(cli)
    detail = refused(
        cli, cli.argv(*cli.job("marks", "--json")), mark, env={"AIOPS_SANDBOX_BACKENDS": "none"}
    )
    assert "none: level 0" in detail


def test_the_backend_none_is_never_taken_unasked(cli: CommandLine) -> None:
    """A minimum of 0 allows no backend that wasn't named."""
    shown = json.loads(cli("config", "--json").stdout)
    assert shown["sandbox_backends"]["value"] == "bubblewrap,landlock"
    environment = {**cli.shop.environment, "AIOPS_SANDBOX_MIN_LEVEL": "0"}
    del environment[ONLY]
    runner = Runner(load_settings(environment, uid=os.getuid()))
    assert [backend.name for backend in runner.backends()] == ["bubblewrap", "landlock"]


@pytest.mark.needs_bubblewrap
def test_a_setuid_bubblewrap_is_not_used(cli: CommandLine) -> None:
    """It would act with more rights than this program has."""
    binary = cli.shop.folder / "bwrap"
    binary.write_bytes(Path("/usr/bin/bwrap").read_bytes())
    binary.chmod(0o755 | stat.S_ISUID)
    runner = cli.shop.runner
    prologue = Path("/nonexistent")
    findings = runner.probe(
        BubblewrapBackend(binary=binary, prologue=prologue, job_uid=runner.job_uid)
    )
    assert "setuid" in findings.error
    assert findings.attempts == {}


def test_an_unknown_backend_is_no_backend(cli: CommandLine) -> None:
    done = cli.run("echo", env={"AIOPS_SANDBOX_BACKENDS": "bubblewarp"})
    assert done.exit_code == 2
    assert "AIOPS_SANDBOX_BACKENDS" in done.stderr
    assert "bubblewarp" in done.stderr
