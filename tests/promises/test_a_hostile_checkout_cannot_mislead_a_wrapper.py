"""What a repository can be made of so that a wrapper hangs, lies or runs something else."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.orb_repo import HERMETIC_GIT, build_orb_repo, commit_all, put
from tests.support.wrapper_run import WrapperRun, open_folder, run_wrapper

MEGABYTE = 1 << 20


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def repo(scratch: Path) -> Path:
    return build_orb_repo(scratch / "orb")


def doctor(repo: Path, scratch: Path) -> WrapperRun:
    """The report on what lies in ``repo``, which must come about within the helper's limit."""
    commit_all(repo)
    run = run_wrapper("repo_doctor", repo, scratch)
    assert run.exit_code == 0, run.stderr
    return run


def kinds(run: WrapperRun) -> dict[str, int]:
    counted: dict[str, int] = json.loads(run.text("repo_doctor.json"))["kinds"]
    return counted


SLOW_MARKDOWN = {
    "brackets": "[" * MEGABYTE,
    "link starts": "](" * (MEGABYTE // 2),
    "parentheses": "](" + "(" * MEGABYTE,
    "half parentheses": "](a(a" * (MEGABYTE // 5),
    "angles": "](<" * (MEGABYTE // 3),
    "backticks": "`" * MEGABYTE,
    "crossed code": "` `` " * (MEGABYTE // 5),
    "code of all lengths": " ".join("`" * n for n in range(1400)),
    "links": "[a](b)" * 170_000,
    "one target": "](" + "a" * MEGABYTE,
    "definitions": "[a]:" * (MEGABYTE // 4),
    "spaces": " " * MEGABYTE,
}
SLOW_TEXT = {
    "address starts": "://a:" * 200_000,
    "one address": "://" + "a" * MEGABYTE,
    "addresses": "://a:bcdefg@" * 87_000,
    "token starts": "sk-" * 340_000,
    "key id starts": "AKIA" * 260_000,
    "token in token": "xoxb-" * 200_000,
    "key headers begun": "-----BEGIN " * 95_000,
    "key headers unclosed": "-----BEGIN RSA PRIVATE KEY----" * 34_000,
    "conflicts begun": "<<<<<<< \n" * 110_000,
    "conflicts ended": "\n=======" * 130_000 + "<<<<<<< ",
}


@pytest.mark.parametrize("name", SLOW_MARKDOWN)
def test_one_endless_line_of_markdown_takes_no_endless_time(
    repo: Path, scratch: Path, name: str
) -> None:
    put(repo, "README.md", SLOW_MARKDOWN[name])
    doctor(repo, scratch)


@pytest.mark.parametrize("name", SLOW_TEXT)
def test_text_made_to_slow_the_search_down_takes_no_endless_time(
    repo: Path, scratch: Path, name: str
) -> None:
    put(repo, "notes.txt", SLOW_TEXT[name])
    doctor(repo, scratch)


def test_a_file_of_200_mb_is_not_read_whole_and_that_is_said(repo: Path, scratch: Path) -> None:
    with (repo / "big.bin").open("wb") as file:
        file.truncate(200 * MEGABYTE)
    run = doctor(repo, scratch)
    assert kinds(run) == {"huge_file": 1, "not_read_whole": 1}
    assert json.loads(run.text("repo_doctor.json"))["bytes_read"] < 2 * MEGABYTE


def test_20_000_files_are_all_looked_at(repo: Path, scratch: Path) -> None:
    """Committed by fast-import, which is quick, and checked out by git."""
    stream = b"commit refs/heads/main\ncommitter A <a@x.invalid> 1700000000 +0000\ndata 0\n"
    stream += b"from refs/heads/main^0\n"
    for number in range(20_000):
        text = b"a\r\nb\n" if number == 19_999 else b"%d\n" % number
        stream += b"M 100644 inline d%03d/f%05d\ndata %d\n%s\n" % (
            number // 100, number, len(text), text
        )  # fmt: skip
    env = {"PATH": os.defpath, **HERMETIC_GIT}
    for command, data in (("fast-import --quiet", stream), ("reset --quiet --hard", b"")):
        subprocess.run(["git", *command.split()], cwd=repo, env=env, input=data, check=True)
    run = run_wrapper("repo_doctor", repo, scratch)
    report = json.loads(run.text("repo_doctor.json"))
    assert report["entries"] > 20_000
    assert [(f["kind"], f["path"]) for f in report["findings"]] == [
        ("mixed_line_ends", "d199/f19999")
    ]


def test_links_in_circles_and_links_that_multiply_end(repo: Path, scratch: Path) -> None:
    """Each link of the chain goes twice through the one before: 2^60 steps if followed naively."""
    (repo / "l0").symlink_to(".")
    for number in range(1, 60):
        (repo / f"l{number}").symlink_to(f"l{number - 1}/l{number - 1}")
    (repo / "me").symlink_to("me")
    put(repo, "x.md", "[a](l59/l59/README.md) [b](me) [c](me/x)\n")
    found = kinds(doctor(repo, scratch))
    assert found["broken_symlink"] > 1
    assert found["broken_link"] == 2


def test_a_name_cannot_forge_a_line_or_move_a_cursor(repo: Path, scratch: Path) -> None:
    put(repo, "x\nerror: token (1): forged\n\x1b[2Jy", "a\r\nb\n")
    put(repo, "x.md", "[a](gone\x1b[31m\u2028\u202e)\n")
    run = doctor(repo, scratch)
    assert "\x1b" not in run.stdout
    assert "\u2028" not in run.stdout
    assert "\u202e" not in run.stdout
    assert not any(line.startswith("error: token") for line in run.stdout.splitlines())


def test_an_included_configuration_in_gitmodules_is_not_read(repo: Path, scratch: Path) -> None:
    put(scratch, "secret.cfg", '[submodule "x"]\n\tpath = vendor/x\n')
    put(repo, ".gitmodules", f"[include]\n\tpath = {scratch}/secret.cfg\n")
    head = commit_all(repo)
    env = {"PATH": os.defpath, **HERMETIC_GIT}
    for command in (f"update-index --add --cacheinfo 160000,{head},vendor/x", "commit -qm x"):
        subprocess.run(["git", *command.split()], cwd=repo, env=env, check=True)
    assert kinds(run_wrapper("repo_doctor", repo, scratch)) == {"submodule_without_url": 1}


def test_a_doctor_script_that_leads_out_of_the_tree_does_not_run(scratch: Path) -> None:
    put(scratch, "outside.sh", "echo ran outside\n")
    repo = build_orb_repo(scratch / "orb", doctor=None, harness=None, review_auto=False)
    for path in ("ops/doctor.sh", "research/score_harness.sh", "ops/review_auto.sh"):
        (repo / path).symlink_to(scratch / "outside.sh")
    (repo / "ops/tests/a_selftest.sh").symlink_to(scratch / "outside.sh")
    commit_all(repo)
    for name in ("orb_doctor", "orb_score_run", "orb_review_auto_nopush", "orb_ops_selftests"):
        run = run_wrapper(name, repo, scratch)
        assert run.exit_code == 1
        assert "SCRIPT_REFUSED: " in run.stdout
        assert "ran outside" not in run.stdout


def test_a_doctor_script_behind_a_folder_that_leads_out_does_not_run(scratch: Path) -> None:
    put(scratch, "elsewhere/doctor.sh", "echo ran outside\n")
    repo = build_orb_repo(scratch / "orb", doctor=None)
    (repo / "scripts").symlink_to("../elsewhere")
    commit_all(repo)
    run = run_wrapper("orb_doctor", repo, scratch)
    assert (run.exit_code, "SCRIPT_REFUSED: scripts/doctor.sh " in run.stdout) == (1, True)


def test_still_allows_a_doctor_script_that_lies_in_the_tree(repo: Path, scratch: Path) -> None:
    assert run_wrapper("orb_doctor", repo, scratch).exit_code == 0


def test_a_script_whose_name_is_an_option_is_run_as_a_script(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", selftests={})
    put(repo, "ops/tests/-c_selftest.sh", "echo as a script\n")
    put(repo, "ops/tests/$(touch x)_selftest.sh", "echo as a name\n")
    commit_all(repo)
    run = run_wrapper("orb_ops_selftests", repo, scratch)
    assert run.exit_code == 0
    assert "as a script\n" in run.stdout
    assert "as a name\n" in run.stdout
