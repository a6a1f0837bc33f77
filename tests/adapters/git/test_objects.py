"""Objects read through one process, and hashed."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.adapters.git.config import write_git_config
from runner.adapters.git.objects import ObjectReader
from runner.adapters.git.process import GitProcess
from runner.errors import IntegrityError, UnavailableError
from tests.support.git_repos import git, make_repo, write_object


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    write_git_config(tmp_path / "gitconfig")
    return make_repo(tmp_path / "repo", {"a": "one\n"})


@pytest.fixture
def reader(repo: Path) -> Iterator[ObjectReader]:
    made = ObjectReader(GitProcess(repo.parent / "gitconfig", timeout_s=30), repo / ".git")
    yield made
    made.close()


def test_names_the_kind_of_each_object(repo: Path, reader: ObjectReader) -> None:
    assert reader.kind(git(repo, "rev-parse", "HEAD")) == "commit"
    assert reader.kind(git(repo, "rev-parse", "HEAD^{tree}")) == "tree"
    assert reader.kind(git(repo, "rev-parse", "HEAD:a")) == "blob"
    assert reader.kind("1" * 40) == ""


def test_answers_come_in_order_however_many_are_asked_for(repo: Path, reader: ObjectReader) -> None:
    oids = [write_object(repo, "blob", b"%d" % number) for number in range(40)] * 20

    contents = [reader.verified(found, "blob") for found in reader.each(oids)]

    assert contents == [b"%d" % (number % 40) for number in range(800)]


def test_content_that_nobody_takes_is_passed_over(repo: Path, reader: ObjectReader) -> None:
    big = write_object(repo, "blob", os.urandom(2_500_000))
    small = write_object(repo, "blob", b"small")

    assert [found.size for found in reader.each([big, small, big])] == [2_500_000, 5, 2_500_000]
    assert reader.body(small, "blob") == b"small"


def test_an_object_of_another_kind_is_an_integrity_error(repo: Path, reader: ObjectReader) -> None:
    with pytest.raises(IntegrityError, match="expected a tree"):
        reader.body(git(repo, "rev-parse", "HEAD:a"), "tree")


def test_a_missing_object_is_an_integrity_error(reader: ObjectReader) -> None:
    with pytest.raises(IntegrityError, match="OBJECT_CORRUPT"):
        reader.body("1" * 40, "blob")


def test_a_reader_that_was_left_half_way_says_that_it_is_gone(
    repo: Path, reader: ObjectReader
) -> None:
    oid = git(repo, "rev-parse", "HEAD:a")
    for _ in reader.each([oid] * 5):
        break

    assert not reader.alive


def test_a_git_that_says_nothing_is_ended_at_the_limit(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    git_process = GitProcess(
        tmp_path / "gitconfig", timeout_s=0.3, search_path=f"{tmp_path / 'bin'}:/usr/bin:/bin"
    )
    reader = ObjectReader(git_process, tmp_path)
    before = time.monotonic()

    with pytest.raises(UnavailableError, match="GIT_TIMEOUT"):
        reader.kind("1" * 40)
    reader.close()

    assert time.monotonic() - before < 30
