"""Crashes, full disks and lost servers at every step of a job: it ends in a record all the same."""

import os
import signal
from pathlib import Path

import pytest

from runner.model.artifact import Artifact
from runner.model.job import Reason, Status
from tests.support.command_line import CommandLine, ended, halted_at, wait_for_line
from tests.support.processes import Family

STEPS = {
    "before_the_store_knows": "runner.adapters.job_store:JobStore.submit",
    "before_it_rings": "runner.adapters.rq_queue:RqQueue.ring",
    "before_the_claim": "runner.adapters.job_store:JobStore.claim",
    "after_the_claim": "runner.adapters.job_folders:JobFolder.reserve",
    "before_the_fetch": "runner.adapters.git.mirror:Mirror.ensure_commit",
    "before_the_checkout": "runner.adapters.git.mirror:Mirror.materialise",
    "while_the_sandbox_waits": "runner.flows.execute:supervise",
    "before_collecting": "runner.flows.execute:collect",
    "before_composing": "runner.flows.execute:compose",
    "before_the_checksums": "runner.adapters.job_folders:replace_durably SHA256SUMS",
    "before_the_signature": "runner.adapters.job_folders:replace_durably artifact.dsse.json",
    "before_the_record": "runner.adapters.job_folders:create_durably artifact.json",
}


def the_only_job(cli: CommandLine) -> Artifact:
    """The record of the one job that there is; valid."""
    (job_id,) = cli.shop.runner.folders.ids()
    return cli.shop.checked(job_id)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_a_runner_killed_with_9(cli: CommandLine, step: str) -> None:
    arguments = ("run", "echo", "--repo", str(cli.shop.repo))
    with cli.started(halted_at(cli, step, *arguments)) as process:
        wait_for_line(process, "stderr", "halted")
        family = Family(process.pid)
        process.kill()
        assert family.survivors() == []

    cli.shop.runner.recover()
    artifact = the_only_job(cli)
    assert (artifact.status, artifact.reason) == (Status.ERROR, Reason.WORKER_LOST)
    again = cli.run("echo")
    assert again.exit_code == 0, again.stderr


def test_a_runner_killed_with_9_while_its_job_runs(cli: CommandLine) -> None:
    cli.shop.add("daemon", "setsid sleep 300 & echo running; trap '' TERM; sleep 300")
    argv = cli.argv("run", "daemon", "--repo", str(cli.shop.repo))
    with cli.started(argv) as process:
        wait_for_line(process, "stdout", "running")
        family = Family(process.pid)
        assert len(family) > 4
        process.kill()
        assert family.survivors() == []

    again = cli.run("echo")
    assert again.exit_code == 0, again.stderr
    lost = cli.shop.checked(cli.shop.runner.folders.ids()[-1])
    assert (lost.status, lost.reason) == (Status.ERROR, Reason.WORKER_LOST)
    assert lost.logs.stdout.bytes == len("running\n")
    assert lost.logs.stdout.sha256 is None


def test_killed_in_the_moment_after_sealing_the_record_stands(cli: CommandLine) -> None:
    step = "runner.flows.watch:Watch.tell_end"
    arguments = ("run", "echo", "--repo", str(cli.shop.repo))
    with cli.started(halted_at(cli, step, *arguments)) as process:
        wait_for_line(process, "stderr", "halted")
        family = Family(process.pid)
        process.kill()
        assert family.survivors() == []
    assert cli.shop.runner.recover() == ()
    assert the_only_job(cli).status is Status.SUCCESS


def test_a_runner_killed_before_it_accepts_leaves_no_job(cli: CommandLine) -> None:
    step = "runner.adapters.job_folders:create_durably plan.json"
    arguments = ("run", "echo", "--repo", str(cli.shop.repo))
    with cli.started(halted_at(cli, step, *arguments)) as process:
        wait_for_line(process, "stderr", "halted")
        process.kill()
    assert cli.shop.runner.recover() == ()
    assert cli.shop.runner.folders.ids() == ()
    assert cli("list").stdout == "no jobs\n"


def test_redis_killed_while_the_job_runs(cli: CommandLine) -> None:
    cli.shop.add("waits", "echo running; until [ -e $TMPDIR/../nope ] || [ $SECONDS -ge 3 ]; do "
                 "sleep 0.1; done; echo done; exit 7")
    argv = cli.argv("run", "waits", "--repo", str(cli.shop.repo))
    with cli.started(argv) as process:
        wait_for_line(process, "stdout", "running")
        os.kill(int((cli.shop.runner.paths.redis / "server.pid").read_text()), signal.SIGKILL)
        done = ended(process)
    artifact = the_only_job(cli)
    assert (artifact.status, artifact.exit_code) == (Status.FAILURE, 7)
    assert artifact.duration_ms is not None
    assert artifact.duration_ms < 6000
    assert done.exit_code == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert cli.run("echo").exit_code == 0
