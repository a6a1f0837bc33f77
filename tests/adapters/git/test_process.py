"""The hardened git: what it is told, what it may take, what it says when it fails."""

import os
import select
import stat
from pathlib import Path

import pytest

from runner.adapters.git.config import write_git_config
from runner.adapters.git.process import GitProcess, readable
from runner.errors import UnavailableError
from tests.support.git_repos import make_repo


@pytest.fixture
def git(tmp_path: Path) -> GitProcess:
    write_git_config(tmp_path / "gitconfig")
    return GitProcess(tmp_path / "gitconfig", timeout_s=30)


def stand_in(folder: Path, script: str) -> Path:
    """A program called git that does something else, in a folder of its own."""
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder


def test_answers_with_what_git_said(git: GitProcess) -> None:
    assert git.run("--version").stdout.startswith(b"git version")


def test_looks_for_no_repository_above_the_current_folder(
    git: GitProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_repo(tmp_path / "repo", {}))

    with pytest.raises(UnavailableError, match="GIT_FAILED"):
        git.run("rev-parse", "HEAD")


def test_passes_none_of_our_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOPS_SECRET", "hunter2")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "evil")
    folder = stand_in(tmp_path / "bin", "env")
    git = GitProcess(tmp_path / "gitconfig", search_path=f"{folder}:/usr/bin:/bin")

    said = git.run("status").stdout.decode()

    assert "hunter2" not in said
    assert "EXTERNAL_DIFF" not in said
    assert f"GIT_CONFIG_GLOBAL={tmp_path / 'gitconfig'}" in said
    assert "GIT_CONFIG_NOSYSTEM=1" in said


def test_an_extra_variable_cannot_replace_one_of_ours(tmp_path: Path) -> None:
    folder = stand_in(tmp_path / "bin", "env")
    git = GitProcess(
        tmp_path / "gitconfig",
        environment=(("GIT_CONFIG_GLOBAL", "/evil"), ("SSH_AUTH_SOCK", "/agent")),
        search_path=f"{folder}:/usr/bin:/bin",
    )

    said = git.run("status").stdout.decode()

    assert "/evil" not in said
    assert "SSH_AUTH_SOCK=/agent" in said


def test_the_whole_group_is_ended_at_the_limit(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    folder = stand_in(tmp_path / "bin", f"sleep 600 & echo $$ $! > {pids}; wait")
    git = GitProcess(tmp_path / "gitconfig", search_path=f"{folder}:/usr/bin:/bin")

    with pytest.raises(UnavailableError, match="GIT_TIMEOUT"):
        git.run("fetch", timeout_s=0.5)

    for pid in pids.read_text().split():
        assert ends(int(pid))


def ends(pid: int) -> bool:
    """Whether that process is gone, or goes as soon as the kernel gets round to it."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 20)[0])
    finally:
        os.close(fd)


def test_a_git_that_is_not_there_is_named_with_its_remedy(tmp_path: Path) -> None:
    git = GitProcess(tmp_path / "gitconfig", search_path=str(tmp_path))

    with pytest.raises(UnavailableError, match="GIT_NOT_FOUND") as caught:
        git.run("--version")

    assert "install git" in caught.value.remedy


def test_an_expected_exit_code_is_an_answer(git: GitProcess, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", {})

    result = git.run("config", "no.such", git_dir=repo / ".git", ok=(0, 1))

    assert result.exit_code == 1


def test_files_that_git_makes_are_readable_by_others_whatever_our_umask(
    git: GitProcess, tmp_path: Path
) -> None:
    before = os.umask(0o077)
    try:
        git.run("init", "-q", "--bare", git_dir=tmp_path / "made")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "made" / "HEAD").stat().st_mode) == 0o644


def test_the_configuration_is_read_only_and_written_once(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "gitconfig"
    write_git_config(path)
    first = path.stat()
    write_git_config(path)

    assert stat.S_IMODE(first.st_mode) == 0o444
    assert path.stat().st_ino == first.st_ino


def test_git_accepts_every_setting_of_ours(git: GitProcess) -> None:
    said = git.run("config", "--global", "--list").stdout.decode()

    assert "transfer.fsckobjects=true" in said
    assert "fetch.fsck.zeropaddedfilemode=ignore" in said


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"fatal: https://joe:s3cret@host/x failed", "fatal: https://host/x failed"),
        (b"remote: \x1b[31mred\x07", "remote: \ufffd[31mred\ufffd"),
        (b"one\n\n  two\n", "one; two"),
    ],
)
def test_what_git_says_is_shown_without_credentials_or_escapes(raw: bytes, expected: str) -> None:
    assert readable(raw) == expected


def test_a_flood_of_words_is_shortened() -> None:
    assert len(readable(b"x" * 1_000_000)) < 2000
