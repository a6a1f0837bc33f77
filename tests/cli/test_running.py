"""``runner run`` and ``runner plan`` as a person or a script meets them."""

import json
import os
from pathlib import Path

import pytest

from runner.model.artifact import Artifact
from runner.model.job import Reason, Status, Warn
from tests.support.command_line import CommandLine, ended
from tests.support.git_repos import commit, git, make_repo

SCRIPTS = {
    "success": ("exit 0", 0, "success"),
    "failure": ("exit 3", 1, "failure"),
    "looks_like_usage": ("exit 2", 1, "failure"),
    "looks_like_a_violation": ("exit 5", 1, "failure"),
    "killed": ("kill -9 $$", 1, "failure"),
    "too_long": ("sleep 60", 1, "timeout"),
}


@pytest.mark.parametrize(("script", "code", "status"), SCRIPTS.values(), ids=SCRIPTS.keys())
def test_the_exit_code_comes_from_the_status_not_from_the_job(
    cli: CommandLine, script: str, code: int, status: str
) -> None:
    cli.shop.add("job", script, timeout_s=2 if status == "timeout" else 30)
    done = cli.run("job")
    assert done.exit_code == code, done
    assert done.stdout.splitlines()[0].split() == ["status", status]


def test_the_log_comes_first_and_then_what_held_and_how(cli: CommandLine) -> None:
    cli.shop.add("job", "echo one line; echo to stderr >&2; echo out > $ARTIFACT_DIR/report.txt")
    done = cli.run("job")
    lines = done.stdout.splitlines()
    assert lines[0] == "one line"
    rows = dict(line.split(maxsplit=1) for line in lines[1:])
    assert rows["status"] == "success"
    for name in Artifact.model_fields["invariants"].annotation.model_fields:  # type: ignore[union-attr]
        assert rows[name].startswith("yes  ("), rows[name]
    assert "outputs/report.txt" in done.stdout
    (job_id,) = cli.shop.runner.folders.ids()
    assert rows["record"] == str(cli.shop.runner.folders.open(job_id).path)
    assert done.stderr.splitlines() == [
        f"job on {cli.shop.repo} at HEAD = {cli.shop.sha}",
        f"job {job_id}",
    ]


def test_json_is_the_sealed_record_and_nothing_else(cli: CommandLine) -> None:
    cli.shop.add("job", "echo not in the output")
    done = cli.run("job", "--json")
    record = json.loads(done.stdout)
    folder = cli.shop.runner.folders.open(record["job_id"])
    assert done.stdout == (folder.path / "artifact.json").read_text()
    assert done.stderr == ""
    assert all(record["invariants"].values())


def test_strict_makes_a_warning_fail(cli: CommandLine) -> None:
    cli.shop.add("job", "ln -s /etc/passwd $ARTIFACT_DIR/link")
    done = cli.run("job", "--strict")
    assert done.exit_code == 10
    assert Warn.OUTPUT_REFUSED in done.stdout
    assert cli.run("job").exit_code == 0
    assert cli.run("echo", "--strict").exit_code == 0


USAGE = {
    "job_type": (("run", "nope", "--repo", "."), 4, ("JOB_TYPE_UNKNOWN", "'nope'", "echo")),
    "repo_name": (("run", "echo", "--repo", "orb"), 2, ("REPO_UNKNOWN", "'orb'", "none")),
    "repo_path": (("run", "echo", "--repo", "/nowhere"), 2, ("NOT_A_REPOSITORY", "/nowhere")),
    "no_repo_here": (("run", "echo", "--repo", ".."), 2, ("NOT_A_REPOSITORY",)),
    "revision": (("run", "echo", "--repo", ".", "--sha", "nope"), 2, ("REVISION_UNKNOWN", "nope")),
    "option_as_revision": (
        ("run", "echo", "--repo", ".", "--sha=--all"),
        2,
        ("REVISION_UNKNOWN", "--all"),
    ),
    "unknown_param": (("run", "echo", "--repo", ".", "--param", "x=1"), 4, ("PARAM", "'x'")),
    "malformed_param": (("run", "echo", "--repo", ".", "--param", "x"), 2, ("USAGE", "KEY=VALUE")),
    "no_repo": (("run", "echo"), 2, ("--repo",)),
    "no_command": (("frobnicate",), 2, ("frobnicate",)),
    "timeout": (("run", "echo", "--repo", ".", "--timeout-s", "0"), 2, ("--timeout-s",)),
}


@pytest.mark.parametrize(("arguments", "code", "words"), USAGE.values(), ids=USAGE.keys())
def test_what_cannot_be_understood_says_what_was_got_and_runs_nothing(
    cli: CommandLine, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    done = cli(*arguments, cwd=cli.shop.repo)
    assert done.exit_code == code, done
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert cli.shop.runner.folders.ids() == ()


def test_a_repository_without_a_commit_is_told_so(cli: CommandLine) -> None:
    empty = make_repo(cli.shop.folder / "empty")
    done = cli("run", "echo", "--repo", str(empty))
    assert done.exit_code == 2
    assert "REVISION_UNKNOWN" in done.stderr
    assert "no commit yet" in done.stderr


def test_branches_tags_and_abbreviations_are_resolved_and_shown(cli: CommandLine) -> None:
    first = cli.shop.sha
    git(cli.shop.repo, "tag", "-a", "v1", "-m", "annotated")
    commit(cli.shop.repo, {"README.md": "second\n"})
    for revision in ("v1", "HEAD~1", first[:12], "main~1"):
        done = cli.run("echo", "--sha", revision, "--json")
        assert json.loads(done.stdout)["sha"] == first, done
    assert f"at v1 = {first}" in cli.run("echo", "--sha", "v1").stderr


def test_a_folder_inside_a_repository_names_that_repository(cli: CommandLine) -> None:
    done = cli("run", "echo", "--repo", ".", "--json", cwd=cli.shop.repo / "src")
    record = json.loads(done.stdout)
    assert record["remote_url"] == str(cli.shop.repo)
    assert record["repo_source"] == "operator_path"


def test_a_job_that_is_rejected_has_its_record(cli: CommandLine) -> None:
    shallow = cli.shop.folder / "shallow"
    commit(cli.shop.repo, {"more": "x"})
    git(cli.shop.folder, "clone", "-q", "--depth=1", f"file://{cli.shop.repo}", str(shallow))
    done = cli("run", "echo", "--repo", str(shallow), "--json")
    record = json.loads(done.stdout)
    assert done.exit_code == 4
    assert (record["status"], record["reason"]) == (Status.REJECTED, Reason.SHALLOW_REPOSITORY)
    cli.shop.checked(record["job_id"])


def test_two_at_once_on_a_fresh_installation_both_succeed(cli: CommandLine) -> None:
    argv = cli.argv(*cli.job("echo", "--json"))
    with cli.started(argv) as one, cli.started(argv) as two, cli.started(argv) as three:
        done = [ended(process) for process in (one, two, three)]
    assert [each.exit_code for each in done] == [0, 0, 0], done
    ids = {json.loads(each.stdout)["job_id"] for each in done}
    assert len(ids) == 3
    for job_id in ids:
        cli.shop.checked(job_id)


def test_nothing_runs_any_more_when_the_command_is_over(cli: CommandLine) -> None:
    assert cli.run("echo").exit_code == 0
    assert cli.run("echo").exit_code == 0
    here = str(cli.shop.folder).encode()
    left = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if here in (entry / "cmdline").read_bytes():
                    left.append(entry.name)
            except OSError:
                continue
    assert left == []
    assert list((cli.shop.folder / "runtime").iterdir()) == []


def test_a_reader_that_goes_away_is_no_failure_of_ours(cli: CommandLine) -> None:
    cli.shop.add("job", "seq 200000")
    with cli.started(cli.argv(*cli.job("job"))) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read().decode()
        code = process.wait(20)
    assert code == 141
    assert "Traceback" not in said
    assert "Exception" not in said
    (job_id,) = cli.shop.runner.folders.ids()
    assert cli.shop.checked(job_id).status is Status.SUCCESS


def test_what_a_job_prints_cannot_steer_the_terminal(cli: CommandLine) -> None:
    cli.shop.add(
        "job",
        "printf '\\033]0;pwned\\007\\033[2J\\302\\233H\\r\\342\\200\\256evil\\377\\n'\n"
        "echo x > $ARTIFACT_DIR/$'a\\e[31mb'; echo y > $ARTIFACT_DIR/fine",
    )
    commands = [
        cli.job("job"),
        ("show", "last"),
        ("artifacts", "last"),
        ("logs", "last"),
        ("list",),
    ]
    for command in commands:
        done = cli(*command)
        assert done.exit_code == 0, done
        for character in "\x1b\x07\x9b\r\u202e":
            assert character not in done.stdout + done.stderr, command


def test_no_colour_is_written_to_a_pipe(cli: CommandLine) -> None:
    for environment in ({}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        done = cli("run", "--help", env={"TERM": "xterm-256color", **environment})
        assert "\x1b" not in done.stdout, environment


def test_plan_shows_what_would_run_and_runs_nothing(cli: CommandLine) -> None:
    done = cli("plan", "echo", "--repo", str(cli.shop.repo))
    assert done.exit_code == 0
    for word in ("wrappers/echo.sh", cli.shop.sha, "30 s", "operator_path"):
        assert word in done.stdout
    machine = cli("plan", "echo", "--repo", str(cli.shop.repo), "--json")
    assert json.loads(machine.stdout)["argv"] == ["wrappers/echo.sh"]
    assert cli.shop.runner.folders.ids() == ()


def test_the_time_limit_can_be_shortened_and_not_lengthened(cli: CommandLine) -> None:
    assert json.loads(cli.run("echo", "--timeout-s", "3", "--json").stdout)["timeout_s"] == 3
    longer = cli.run("echo", "--timeout-s", "3000", "--json")
    assert longer.exit_code == 4, longer
    assert "3000" in longer.stderr


def test_a_record_that_was_revoked_at_once_is_no_success(cli: CommandLine) -> None:
    """A big tree is compared when the job's end was told already; this command still knows."""
    big = {"AIOPS_SNAPSHOT_LIMIT": "0"}
    assert cli.run("echo", env=big).exit_code == 0
    (tree,) = cli.shop.runner.paths.checkouts.glob(f"*/{cli.shop.sha}/tree")
    (tree / "README.md").chmod(0o600)
    done = cli.run("echo", env=big)
    assert done.exit_code == 5, done
    assert "REVOKED" in done.stdout
    assert cli("verify", "last").exit_code == 5
    assert cli.run("echo", env=big).exit_code == 0


def test_a_bug_is_told_as_one(cli: CommandLine) -> None:
    program = (
        "import sys, runner.flows.submit as s\n"
        "def broken(*a, **k): raise ZeroDivisionError('oh \\x1b[2J')\n"
        "s.submit = broken\n"
        "from runner.cli import main\n"
        "sys.argv = ['runner', *sys.argv[1:]]\n"
        "sys.exit(main())\n"
    )
    argv = [cli.argv()[0], "-c", program, *cli.job("echo")]
    with cli.started(argv) as process:
        done = ended(process)
    assert done.exit_code == 3
    assert "BUG" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "\x1b" not in done.stderr
