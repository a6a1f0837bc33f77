"""``ops/review_bundle.sh``: the door that scripts know, with the exit codes that they know."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, CommandLine
from tests.support.git_repos import commit

DOOR = ROOT / "ops" / "review_bundle.sh"


@pytest.fixture
def repo(cli: CommandLine) -> Path:
    commit(cli.shop.repo, {"large.txt": "a line\n" * 9000, "small.txt": "a line\n"})
    return cli.shop.repo


def _opened(
    cli: CommandLine, repo: Path, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [DOOR, *arguments],
        cwd=repo,
        env={**cli.environment, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_under_the_cap_it_writes_the_bundle(cli: CommandLine, repo: Path) -> None:
    out = cli.shop.folder / "bundle.txt"
    done = _opened(cli, repo, "--since", cli.shop.sha, "--output", str(out))
    assert done.returncode == 0, done
    assert out.read_text().startswith("# REVIEW BUNDLE\n")


@pytest.mark.parametrize("how", ["option", "variable"])
def test_over_the_cap_it_ends_with_6_and_the_sizes_and_writes_nothing(
    cli: CommandLine, repo: Path, how: str
) -> None:
    out = cli.shop.folder / "bundle.txt"
    cap = ("--size-cap", "20000") if how == "option" else ()
    environment = {} if cap else {"REVIEW_BUNDLE_SIZE_CAP": "20000"}
    asked = ("--since", cli.shop.sha, "--output", str(out), *cap)
    done = _opened(cli, repo, *asked, **environment)
    assert done.returncode == 6, done
    assert done.stdout == ""
    sizes = [line.split() for line in done.stderr.splitlines() if line.startswith("  ")]
    assert [name for _, name in sizes] == ["large.txt", "small.txt"]
    assert int(sizes[0][0]) > 72_000
    assert not out.exists()
    assert not (out.parent / "review_packets").exists()


@pytest.mark.parametrize("arguments", [(), ("--since",), ("--since", "nope"), ("--nope",)])
def test_what_it_does_not_understand_ends_with_2(
    cli: CommandLine, repo: Path, arguments: tuple[str, ...]
) -> None:
    assert _opened(cli, repo, *arguments).returncode == 2


def test_elsewhere_it_takes_the_program_from_the_path_and_says_if_there_is_none(
    cli: CommandLine, repo: Path
) -> None:
    tools = cli.shop.folder / "bin"
    tools.mkdir()
    copy = cli.shop.folder / "ops" / "review_bundle.sh"
    copy.parent.mkdir()
    shutil.copy(DOOR, copy)
    for tool in ("bash", "readlink", "dirname"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    environment = {**cli.environment, "PATH": str(tools)}
    missing = subprocess.run([copy], env=environment, capture_output=True, text=True)
    assert missing.returncode == 2
    assert "no runner" in missing.stderr
    program = tools / "runner"
    program.write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    asked = (str(copy), "--since", "a b")
    there = subprocess.run(asked, env=environment, capture_output=True, text=True)
    assert there.stdout.splitlines() == ["review", "bundle", "--bundle-only", "--since", "a b"]


def test_the_door_can_be_a_link(cli: CommandLine, repo: Path) -> None:
    link = cli.shop.folder / "review_bundle"
    os.symlink(DOOR, link)
    done = subprocess.run([link, "--help"], env=cli.environment, capture_output=True, text=True)
    assert done.returncode == 0, done
