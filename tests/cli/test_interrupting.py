"""Ctrl-C, a closed terminal, ``kill``: the job is cancelled, recorded, and nothing is left."""

import os
import signal

import pytest

from runner.model.job import Reason, Status
from tests.support.command_line import CommandLine, ended, halted_at, wait_for_line
from tests.support.processes import Family

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("everybody", [False, True], ids=["the_runner", "the_whole_terminal"])
def test_an_interrupt_cancels_the_job_and_leaves_nothing(
    cli: CommandLine, backend_name: str, number: signal.Signals, everybody: bool
) -> None:
    """A terminal sends it to every process of the foreground group: children hear it too."""
    cli.shop.add("job", "setsid sleep 300 & trap '' TERM INT HUP; echo running; sleep 300")
    argv = cli.argv(*cli.job("job"))
    with cli.started(argv, env={"AIOPS_SANDBOX_BACKENDS": backend_name}) as process:
        wait_for_line(process, "stdout", "running")
        family = Family(process.pid)
        (os.killpg if everybody else os.kill)(process.pid, number)
        done = ended(process)
    assert family.survivors() == []
    assert done.exit_code == 130, done
    (job_id,) = cli.shop.runner.folders.ids()
    artifact = cli.shop.checked(job_id)
    assert (artifact.status, artifact.reason) == (Status.CANCELLED, Reason.CANCELLED)
    assert artifact.invariants.no_orphans_ok is True
    assert "Traceback" not in done.stderr
    assert not any(cli.shop.runner.paths.scratch.iterdir())


def test_an_interrupt_before_the_job_began_cancels_it(cli: CommandLine) -> None:
    step = "runner.adapters.git.mirror:Mirror.materialise"
    with cli.started(halted_at(step, *cli.job("echo"))) as process:
        wait_for_line(process, "stderr", "halted")
        os.kill(process.pid, signal.SIGINT)
        done = ended(process)
    assert done.exit_code == 130, done
    (job_id,) = cli.shop.runner.folders.ids()
    assert cli.shop.checked(job_id).status is Status.CANCELLED
