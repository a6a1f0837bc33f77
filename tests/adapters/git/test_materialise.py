"""A commit's files on the disk, and the git directory beside them."""

import errno
import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.adapters.git.materialise import materialise
from runner.adapters.git.objects import ObjectReader
from runner.errors import RefusedError
from tests.support.git_mirrors import Place, place
from tests.support.git_repos import (
    Link,
    Script,
    commit,
    commit_tree,
    git,
    git_bytes,
    make_big_repo,
    make_repo,
    write_object,
    write_tree,
)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        make_repo(made.source)
        yield made


def built(here: Place, files: Mapping[str, Any]) -> Path:
    sha = commit(here.source, files)
    here.ensure(sha)
    return here.materialise(sha)


def test_writes_files_scripts_and_links_as_committed(here: Place) -> None:
    entry = built(
        here,
        {
            "a.txt": "one\n",
            "bin/run": Script("#!/bin/sh\n"),
            "deep/er/link": Link("../../a.txt"),
            "empty": b"",
            "binary": bytes(range(256)),
        },
    )
    tree = entry / "tree"

    assert (tree / "a.txt").read_text() == "one\n"
    assert os.access(tree / "bin/run", os.X_OK)
    assert os.readlink(tree / "deep/er/link") == "../../a.txt"
    assert (tree / "empty").read_bytes() == b""
    assert (tree / "binary").read_bytes() == bytes(range(256))


def test_the_gitfile_and_the_object_store_are_where_a_sandbox_expects_them(here: Place) -> None:
    entry = built(here, {"a": "b"})

    assert (entry / "tree/.git").read_bytes() == b"gitdir: ../git\n"
    assert (entry / "git/objects/info/alternates").read_bytes() == b"../../objects\n"
    assert Path(os.readlink(entry / "objects")) == here.mirror().objects


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_git_finds_nothing_to_say_about_a_fresh_checkout(
    here: Place, tmp_path: Path, object_format: str
) -> None:
    here.source = make_repo(tmp_path / "source2", object_format=object_format)
    entry = built(here, {"a.txt": "1", "d/b": Script("2"), "d/e/f": Link("x"), "d-e": "3"})
    tree = entry / "tree"

    assert git(tree, "status", "--porcelain", "--ignored") == ""
    assert git(tree, "diff", "HEAD") == ""
    assert git(tree, "fsck", "--strict", "--no-dangling") == ""
    assert git(tree, "write-tree") == git(here.source, "rev-parse", "HEAD^{tree}")
    assert git(tree, "ls-files", "-s") == git(here.source, "ls-files", "-s")


def test_status_reads_no_file_again(here: Place) -> None:
    """No entry is racy: git trusts the index, so a file's content needn't be readable."""
    entry = built(here, {"a.txt": "one\n"})
    stat_before = (entry / "tree/a.txt").stat()
    (entry / "tree/a.txt").write_text("two\n")
    os.utime(entry / "tree/a.txt", ns=(stat_before.st_atime_ns, stat_before.st_mtime_ns))

    assert git(entry / "tree", "status", "--porcelain") == ""
    assert (entry / "git/index").stat().st_mtime_ns > stat_before.st_mtime_ns + 10**9


def test_an_edit_is_seen_by_git_status(here: Place) -> None:
    entry = built(here, {"a.txt": "one\n"})
    (entry / "tree/a.txt").write_text("another length\n")

    assert git(entry / "tree", "status", "--porcelain") == " M a.txt"


def test_history_branches_and_tags_can_be_read(here: Place) -> None:
    commit(here.source, {"a": "1"}, "first")
    git(here.source, "tag", "-a", "v1", "-m", "release")
    sha = commit(here.source, {"a": "2"}, "second")
    here.ensure(sha)
    tree = here.materialise(sha) / "tree"

    assert git(tree, "log", "--format=%s") == "second\nfirst"
    assert git(tree, "describe").startswith("v1-1-g")
    assert git(tree, "rev-parse", "origin/main", "HEAD").split() == [sha, sha]
    assert git(tree, "rev-list", "--count", "--all") == "2"
    assert git(tree, "show", "--stat", "--format=", "HEAD") != ""


def test_git_works_where_nothing_can_be_written(here: Place) -> None:
    tree = built(here, {"a.txt": "one\n"}) / "tree"
    for folder, _, _ in os.walk(tree.parent / "git"):
        os.chmod(folder, 0o555)
    try:
        assert git(tree, "status", "--porcelain") == ""
        assert git(tree, "log", "--oneline") != ""
    finally:
        for folder, _, _ in os.walk(tree.parent / "git"):
            os.chmod(folder, 0o755)


def test_hooks_path_is_githooks_only_where_there_is_such_a_folder(here: Place) -> None:
    with_hooks = built(here, {".githooks/pre-commit": Script("true")})
    sha = commit(here.source, {".githooks/pre-commit": None, ".githooks2": "x"})
    here.ensure(sha)
    without = here.materialise(sha, "without")

    assert git(with_hooks / "tree", "config", "core.hooksPath") == ".githooks"
    with pytest.raises(AssertionError):
        git(without / "tree", "config", "core.hooksPath")


def test_a_file_called_githooks_is_no_hooks_folder(here: Place) -> None:
    sha = commit(here.source, {".githooks": "just a file\n"})
    here.ensure(sha)
    folder = here.folder / "x"
    folder.mkdir()

    assert not here.mirror().materialise(sha, folder).has_githooks


def test_submodules_become_empty_folders(here: Place) -> None:
    blob = write_object(here.source, "blob", b"x")
    tree = write_tree(here.source, [("100644", b"a", blob), ("160000", b"sub", "1" * 40)])
    sha = commit_tree(here.source, tree, ref="refs/heads/main")
    here.ensure(sha)
    entry = here.materialise(sha)

    assert list((entry / "tree/sub").iterdir()) == []
    assert git(entry / "tree", "status", "--porcelain") == ""


def test_an_empty_commit_has_an_empty_tree(here: Place) -> None:
    entry = built(here, {})

    assert [name.name for name in (entry / "tree").iterdir()] == [".git"]
    assert git(entry / "tree", "status", "--porcelain") == ""


def test_names_that_are_no_text_survive(here: Place) -> None:
    blob = write_object(here.source, "blob", b"x")
    names = [b"new\nline", b'tab\t"quote"\\', b"\xff\xfe", b"-rf", "\u202etxt.exe".encode()]
    tree = write_tree(here.source, [("100644", name, blob) for name in sorted(names)])
    sha = commit_tree(here.source, tree, ref="refs/heads/main")
    here.ensure(sha)
    entry = here.materialise(sha)

    assert set(os.listdir(os.fsencode(entry / "tree"))) == {*names, b".git"}
    assert git(entry / "tree", "status", "--porcelain") == ""


def test_names_that_differ_in_case_are_two_files(here: Place) -> None:
    entry = built(here, {"readme": "a", "README": "b"})

    assert (entry / "tree/readme").read_text() == "a"
    assert (entry / "tree/README").read_text() == "b"


def test_a_file_larger_than_a_piece_is_whole(here: Place) -> None:
    content = os.urandom(3 * 1024 * 1024 + 7)

    assert (built(here, {"big": content, "z": "after"}) / "tree/big").read_bytes() == content


def test_many_files_in_many_folders_are_all_there(here: Place, tmp_path: Path) -> None:
    here.source = tmp_path / "many"
    sha = make_big_repo(here.source, 1500)
    here.ensure(sha)
    tree = here.materialise(sha) / "tree"

    assert git(tree, "status", "--porcelain") == ""
    assert sum(len(names) for _, _, names in os.walk(tree)) == 1501


def test_modes_are_the_same_under_any_umask(here: Place) -> None:
    before = os.umask(0o077)
    try:
        entry = built(here, {"d/a": "x", "d/run": Script("y")})
    finally:
        os.umask(before)

    modes = {
        name: stat.S_IMODE((entry / name).stat().st_mode)
        for name in ("tree", "tree/d", "tree/d/a", "tree/d/run", "git", "git/HEAD", "git/index")
    }
    assert modes == {
        "tree": 0o755, "tree/d": 0o755, "tree/d/a": 0o644, "tree/d/run": 0o755,
        "git": 0o755, "git/HEAD": 0o644, "git/index": 0o644,
    }  # fmt: skip


def test_a_tree_with_too_many_entries_is_refused_before_anything_is_written(
    here: Place, tmp_path: Path
) -> None:
    """A few kilobytes of trees that name each other: 10 to the power of 9 files."""
    oid = write_object(here.source, "blob", b"x")
    mode = "100644"
    for _ in range(9):
        oid = write_tree(here.source, [(mode, b"f%d" % n, oid) for n in range(10)])
        mode = "40000"
    sha = commit_tree(here.source, oid, ref="refs/heads/main")
    here.ensure(sha)
    folder = tmp_path / "bomb"
    folder.mkdir()
    reader = ObjectReader(here.git, here.mirror_folder())
    try:
        with pytest.raises(RefusedError, match="CHECKOUT_REFUSED"):
            materialise(reader, sha, folder, objects=tmp_path, refs=(), max_entries=50_000)
    finally:
        reader.close()
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_empty_is_refused(here: Place) -> None:
    sha = commit(here.source, {"a": "x"})
    here.ensure(sha)
    folder = here.folder / "x"
    (folder / "tree").mkdir(parents=True)

    with pytest.raises(RefusedError, match="CHECKOUT_REFUSED") as caught:
        here.mirror().materialise(sha, folder)
    assert os.strerror(errno.EEXIST) in str(caught.value)


def test_a_reader_that_was_interrupted_is_replaced(here: Place) -> None:
    sha = commit(here.source, {f"f{n}": str(n) for n in range(200)})
    here.ensure(sha)
    folder = here.folder / "x"
    folder.mkdir()
    (folder / "tree").mkdir()
    with pytest.raises(RefusedError):
        here.mirror().materialise(sha, folder)

    assert git(here.materialise(sha, "again") / "tree", "status", "--porcelain") == ""


def test_the_job_of_another_uid_can_read_everything(here: Place) -> None:
    entry = built(here, {"d/a": "x"})
    unreadable = subprocess.run(
        ["find", str(entry) + "/", str(here.mirror().objects), "!", "-perm", "-o+r", "-not",
         "-type", "l"],
        capture_output=True, text=True,
    )  # fmt: skip

    assert unreadable.stdout == ""


def test_content_is_written_raw_whatever_attributes_say(here: Place) -> None:
    entry = built(here, {".gitattributes": "* text eol=crlf ident\n", "a.txt": "$Id$\nx\n"})

    assert (entry / "tree/a.txt").read_bytes() == b"$Id$\nx\n"
    assert git_bytes(here.source, "show", "HEAD:a.txt") == b"$Id$\nx\n"


def test_a_small_repository_that_names_one_blob_many_times_is_refused(
    here: Place, tmp_path: Path
) -> None:
    sha = commit(here.source, {f"copy-{number}": "x" * 1000 for number in range(50)})
    here.ensure(sha)
    reader = ObjectReader(here.git, here.mirror_folder())
    folder = tmp_path / "bomb"
    folder.mkdir()
    try:
        with pytest.raises(RefusedError, match="more than 20000 bytes"):
            materialise(reader, sha, folder, objects=tmp_path, refs=(), max_bytes=20_000)
    finally:
        reader.close()
    assert sum(path.stat().st_size for path in (folder / "tree").iterdir()) <= 20_000
