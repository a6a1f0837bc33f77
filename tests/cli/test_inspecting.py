"""``runner list``, ``show``, ``logs`` and ``artifacts``: on nothing, on jobs, on what is hostile."""

import json
import os

import pytest

from runner.model.job import Status
from tests.support.command_line import CommandLine, ended, wait_for_line

EMPTY = {
    "list": (("list",), 0, "no jobs\n", ""),
    "list_json": (("list", "--json"), 0, "[]\n", ""),
    "show": (("show", "last"), 2, "", "JOB_UNKNOWN"),
    "logs": (("logs", "last"), 2, "", "JOB_UNKNOWN"),
    "artifacts": (("artifacts", "last"), 2, "", "JOB_UNKNOWN"),
    "verify": (("verify", "last"), 2, "", "JOB_UNKNOWN"),
    "unknown_id": (("show", "20260102-030405-00112233aa"), 2, "", "JOB_UNKNOWN"),
    "path_as_id": (("show", "../../etc"), 2, "", "JOB_UNKNOWN"),
    "escape_as_id": (("show", "\x1b[2J"), 2, "", "JOB_UNKNOWN"),
    "long_id": (("logs", "x" * 100_000), 2, "", "JOB_UNKNOWN"),
}


@pytest.mark.parametrize(("arguments", "code", "out", "err"), EMPTY.values(), ids=EMPTY.keys())
def test_without_any_job(
    cli: CommandLine, arguments: tuple[str, ...], code: int, out: str, err: str
) -> None:
    done = cli(*arguments)
    assert (done.exit_code, done.stdout) == (code, out), done
    assert err in done.stderr
    assert "\x1b" not in done.stderr
    assert len(done.stderr) < 1000


def test_jobs_are_listed_the_latest_first(cli: CommandLine) -> None:
    cli.shop.add("fails", "exit 1")
    first = cli.shop.execute(cli.shop.submit("echo"))
    second = cli.shop.execute(cli.shop.submit("fails"))
    waiting = cli.shop.submit("echo")
    lines = cli("list").stdout.splitlines()
    assert lines[0].split() == ["JOB", "STATUS", "TYPE", "REPOSITORY", "COMMIT", "REASON"]
    assert [line.split()[:2] for line in lines[1:]] == [
        [waiting.job_id, "queued"],
        [second.job_id, "failure"],
        [first.job_id, "success"],
    ]
    listed = json.loads(cli("list", "--json", "--limit", "2").stdout)
    assert [job["job_id"] for job in listed] == [waiting.job_id, second.job_id]
    failed = json.loads(cli("list", "--json", "--status", "failure").stdout)
    assert [job["reason"] for job in failed] == ["EXIT_CODE"]
    typed = json.loads(cli("list", "--json", "--type", "fails").stdout)
    assert [job["job_id"] for job in typed] == [second.job_id]
    wrong = cli("list", "--status", "done")
    assert wrong.exit_code == 2
    assert "'done'" in wrong.stderr
    assert "success" in wrong.stderr


def test_last_is_the_latest_of_many_in_one_second(cli: CommandLine) -> None:
    for _ in range(4):
        latest = cli.shop.execute(cli.shop.submit("echo")).job_id
        assert json.loads(cli("show", "last", "--json").stdout)["job_id"] == latest


def test_show_is_the_record_as_it_was_sealed(cli: CommandLine) -> None:
    artifact = cli.shop.execute(cli.shop.submit("echo"))
    folder = cli.shop.runner.folders.open(artifact.job_id).path
    assert cli("show", artifact.job_id, "--json").stdout == (folder / "artifact.json").read_text()
    assert str(folder) in cli("show", artifact.job_id).stdout


def test_show_of_a_job_that_has_not_ended_says_where_it_stands(cli: CommandLine) -> None:
    folder = cli.shop.submit("echo")
    assert "queued" in cli("show", folder.job_id).stdout
    assert json.loads(cli("show", folder.job_id, "--json").stdout)["status"] == Status.QUEUED
    artifacts = cli("artifacts", folder.job_id)
    assert artifacts.exit_code == 2
    assert "hasn't ended" in artifacts.stderr
    logs = cli("logs", folder.job_id)
    assert logs.exit_code == 2
    assert "LOG_NOT_FOUND" in logs.stderr


def test_a_record_that_was_tampered_with_is_not_shown_as_one(cli: CommandLine) -> None:
    artifact = cli.shop.execute(cli.shop.submit("echo"))
    record = cli.shop.runner.folders.open(artifact.job_id).path / "artifact.json"
    record.write_text(record.read_text().replace('"status": "success"', '"status": "\\u001b[2J"'))
    done = cli("show", artifact.job_id)
    assert done.exit_code == 5
    assert "RECORD_INVALID" in done.stderr
    assert "\x1b" not in done.stderr
    assert cli("list").exit_code == 0


def test_logs_show_each_stream_and_its_end(cli: CommandLine) -> None:
    artifact = cli.shop.run("seq 100; echo to stderr >&2")
    job_id = artifact.job_id
    assert cli("logs", job_id).stdout == "".join(f"{number}\n" for number in range(1, 101))
    assert cli("logs", job_id, "--tail", "2").stdout == "99\n100\n"
    assert cli("logs", job_id, "--stream", "stderr").stdout == "to stderr\n"
    wrong = cli("logs", job_id, "--stream", "stdwhat")
    assert wrong.exit_code == 2
    assert "'stdwhat'" in wrong.stderr


def test_raw_gives_a_pipe_the_bytes_as_they_are(cli: CommandLine) -> None:
    artifact = cli.shop.run("printf '\\033[2J\\377'")
    with cli.started(cli.argv("logs", artifact.job_id, "--raw")) as process:
        out, _ = process.communicate(timeout=30)
    assert out == b"\x1b[2J\xff"
    assert cli("logs", artifact.job_id).stdout == "\\x1b[2J\\xff"


def test_raw_is_never_given_to_a_terminal(cli: CommandLine) -> None:
    artifact = cli.shop.run("printf '\\033[2Jraw\\n'")
    ours, theirs = os.openpty()
    with cli.started(cli.argv("logs", artifact.job_id, "--raw"), stdout=theirs) as process:
        os.close(theirs)
        assert process.wait(30) == 0
        shown = os.read(ours, 4096)
    os.close(ours)
    assert b"\x1b" not in shown
    assert b"raw" in shown


def test_following_a_log_sees_it_grow_and_ends_with_the_job(cli: CommandLine) -> None:
    cli.shop.add(
        "job",
        "echo one; until read -t 0.2 < $ARTIFACT_DIR/none; [ $SECONDS -ge 2 ]; do "
        ":; done 2>/dev/null; echo two",
    )
    with cli.started(cli.argv(*cli.job("job"))) as running:
        wait_for_line(running, "stdout", "one")
        with cli.started(cli.argv("logs", "-f", "last")) as following:
            wait_for_line(following, "stdout", "one")
            wait_for_line(following, "stdout", "two")
            assert following.wait(30) == 0
        assert ended(running).exit_code == 0


def test_the_outputs_are_listed_with_their_digests_and_what_was_left(cli: CommandLine) -> None:
    artifact = cli.shop.run("echo hi > $ARTIFACT_DIR/report.txt; ln -s x $ARTIFACT_DIR/$'l\\e[2J'")
    done = cli("artifacts", artifact.job_id)
    (report,) = [one for one in artifact.outputs if one.path == "outputs/report.txt"]
    assert report.sha256 in done.stdout
    assert "not collected" in done.stdout
    assert "\x1b" not in done.stdout
    listed = json.loads(cli("artifacts", artifact.job_id, "--json").stdout)
    assert [one["path"] for one in listed] == [one.path for one in artifact.outputs]
