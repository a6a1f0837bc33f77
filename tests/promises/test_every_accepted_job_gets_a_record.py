"""Crashes, full disks and lost servers at every step of a job: it ends in a record all the same."""

import os
import signal
import subprocess
from collections.abc import Iterator
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
    "before_the_checksums": "runner.adapters.job_folders.sealing:format_sums",
    "before_the_signature": "runner.adapters.signing:Signer.sign_envelope",
    "before_the_record": "os:link artifact.json",
}


def the_only_job(cli: CommandLine) -> Artifact:
    """The record of the one job that there is; valid."""
    (job_id,) = cli.shop.runner.folders.ids()
    return cli.shop.checked(job_id)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_a_runner_killed_with_9(cli: CommandLine, step: str) -> None:
    with cli.started(halted_at(step, *cli.job("echo"))) as process:
        wait_for_line(process, "stderr", "halted")
        family = Family(process.pid)
        process.kill()
        assert family.survivors() == []

    cli.shop.runner.recover()
    artifact = the_only_job(cli)
    assert (artifact.status, artifact.reason) == (Status.ERROR, Reason.WORKER_LOST)
    again = cli.run("echo")
    assert again.exit_code == 0, again.stderr


def test_a_runner_killed_with_9_while_its_job_runs(cli: CommandLine, backend_name: str) -> None:
    cli.shop.add("daemon", "setsid sleep 300 & echo running; trap '' TERM; sleep 300")
    argv = cli.argv(*cli.job("daemon"))
    with cli.started(argv, env={"AIOPS_SANDBOX_BACKENDS": backend_name}) as process:
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
    with cli.started(halted_at(step, *cli.job("echo"))) as process:
        wait_for_line(process, "stderr", "halted")
        family = Family(process.pid)
        process.kill()
        assert family.survivors() == []
    assert cli.shop.runner.recover() == ()
    assert the_only_job(cli).status is Status.SUCCESS


def test_killed_before_tidying_up_the_record_is_valid_and_tidied_later(cli: CommandLine) -> None:
    step = "runner.adapters.job_folders:JobFolder.tidy"
    with cli.started(halted_at(step, *cli.job("echo"))) as process:
        wait_for_line(process, "stderr", "halted")
        process.kill()
    (job_id,) = cli.shop.runner.folders.ids()
    folder = cli.shop.runner.folders.open(job_id)
    assert (folder.path / "reserve").exists()
    assert cli.shop.checked(job_id).status is Status.SUCCESS
    assert cli.shop.runner.recover() == ()
    assert not (folder.path / "reserve").exists()
    assert cli.shop.checked(job_id).status is Status.SUCCESS


def test_a_runner_killed_before_it_accepts_leaves_no_job(cli: CommandLine) -> None:
    step = "os:open plan.json"
    with cli.started(halted_at(step, *cli.job("echo"))) as process:
        wait_for_line(process, "stderr", "halted")
        process.kill()
    assert cli.shop.runner.recover() == ()
    assert cli.shop.runner.folders.ids() == ()
    assert cli("list").stdout == "no jobs\n"


WAITS = "echo running; while [ $SECONDS -lt 3 ]; do sleep 0.1; done; echo done; exit 7"


def test_redis_killed_while_the_job_runs(cli: CommandLine) -> None:
    cli.shop.add("waits", WAITS)
    with cli.started(cli.argv(*cli.job("waits"))) as process:
        wait_for_line(process, "stdout", "running")
        os.kill(redis_pid(cli), signal.SIGKILL)
        done = ended(process)
    artifact = the_only_job(cli)
    assert (artifact.status, artifact.exit_code) == (Status.FAILURE, 7)
    assert cli.shop.log(artifact) == "running\ndone\n"
    assert done.exit_code == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert cli.run("echo").exit_code == 0


def test_redis_that_hangs_does_not_stretch_the_time_limit(cli: CommandLine) -> None:
    cli.shop.add("waits", "echo running; sleep 60", timeout_s=7)
    with cli.started(cli.argv(*cli.job("waits"))) as process:
        wait_for_line(process, "stdout", "running")
        server = redis_pid(cli)
        os.kill(server, signal.SIGSTOP)
        # what the runner says once the record is sealed; then it needs Redis no more
        wait_for_line(process, "stderr", "watch.end_untold", within=True)
        os.kill(server, signal.SIGCONT)
        done = ended(process)
    artifact = the_only_job(cli)
    assert done.exit_code == 1, done.stderr
    assert (artifact.status, artifact.reason) == (Status.TIMEOUT, Reason.TIMEOUT)
    assert artifact.duration_ms is not None
    assert artifact.duration_ms < 13_000


def redis_pid(cli: CommandLine) -> int:
    """The process of the installation's own server."""
    return int((cli.shop.runner.paths.redis / "server.pid").read_text())


def test_without_redis_nothing_is_accepted(cli: CommandLine) -> None:
    done = cli.run("echo", env={"AIOPS_REDIS_URL": f"unix://{cli.shop.folder}/nowhere.sock"})
    assert done.exit_code == 3
    assert "REDIS_UNAVAILABLE" in done.stderr
    assert done.stdout == ""
    assert cli.shop.runner.folders.ids() == ()
    assert cli("list").stdout == "no jobs\n"


@pytest.fixture
def small_disk(cli: CommandLine) -> Iterator[Path]:
    """The installation's artifacts on a file system of two megabytes."""
    artifacts = cli.shop.runner.paths.artifacts
    command = ("mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "aiops-test", str(artifacts))
    subprocess.run(command, check=True)
    try:
        yield artifacts
    finally:
        subprocess.run(("umount", str(artifacts)), check=True)


FULL = {
    "by_outputs": "head -c 4M /dev/urandom > $ARTIFACT_DIR/a",
    "by_a_log": "head -c 4M /dev/urandom",
    "by_many_outputs": "for i in $(seq 3000); do echo $i > $ARTIFACT_DIR/$i; done",
}


@pytest.mark.needs_root
@pytest.mark.parametrize("script", FULL.values(), ids=FULL.keys())
def test_a_disk_that_is_filled(cli: CommandLine, small_disk: Path, script: str) -> None:
    cli.shop.add("fills", f"{script}\necho end")
    done = cli.run("fills")
    artifact = the_only_job(cli)
    assert (artifact.status, artifact.reason) == (Status.ERROR, Reason.DISK_FULL), artifact.detail
    assert done.exit_code == 3
    if artifact.logs.stdout.bytes > 1024 * 1024:  # a log that was kept is kept: it is evidence
        (small_disk / artifact.job_id / "stdout.log").unlink()
    next_one = cli.run("echo")
    assert next_one.exit_code == 0, next_one.stderr


@pytest.mark.needs_root
def test_a_disk_that_somebody_else_filled(cli: CommandLine, small_disk: Path) -> None:
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 * 1024 * 1024 - 64 * 1024)
    done = cli.run("echo")
    artifact = the_only_job(cli)
    assert (artifact.status, artifact.reason) == (Status.ERROR, Reason.DISK_FULL)
    assert artifact.exit_code is None
    assert done.exit_code == 3
    filler.unlink()
    assert cli.run("echo").exit_code == 0


def test_files_that_may_not_grow(cli: CommandLine) -> None:
    """What an ordinary user can do to have no space: getrlimit(2), RLIMIT_FSIZE."""
    assert cli.run("echo").exit_code == 0  # its mirror and checkout are there
    limited = ("prlimit", "--fsize=100000", *cli.argv(*cli.job("echo")))
    with cli.started(limited) as process:
        done = ended(process)
    artifact = cli.shop.checked(cli.shop.runner.folders.ids()[0])
    assert (artifact.status, artifact.reason) == (Status.ERROR, Reason.DISK_FULL)
    assert artifact.exit_code is None
    assert done.exit_code == 3
    assert cli.run("echo").exit_code == 0
