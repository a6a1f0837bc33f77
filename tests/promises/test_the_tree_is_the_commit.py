"""The tree that a job sees is the commit that was asked for, and stays it.

Attacks by the repository, by whoever could once write to the mirror, and by a job that got out.
"""

import os
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.errors import IntegrityError, RefusedError, UnavailableError
from tests.support.git_mirrors import Place, place
from tests.support.git_repos import (
    Link,
    Script,
    commit,
    commit_tree,
    git,
    make_repo,
    write_object,
    write_tree,
)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        make_repo(made.source, {"a.txt": "one\n", "d/b.txt": "two\n", "run": Script("true")})
        yield made


@pytest.fixture
def sha(here: Place) -> str:
    return git(here.source, "rev-parse", "HEAD")


@pytest.fixture
def alarm(tmp_path: Path) -> Path:
    """A script that leaves a trace when anybody runs it."""
    script = tmp_path / "alarm.sh"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/pwned\nexit 1\n")
    script.chmod(0o755)
    return script


def was_run(alarm: Path) -> bool:
    return (alarm.parent / "pwned").exists()


# --- objects that aren't what their names say -------------------------------------------------


def falsify(here: Place, oid: str, kind: str, body: bytes) -> None:
    """Puts other content under an object's name, as a loose object of a mirror without packs."""
    mirror = here.mirror_folder()
    here.mirrors.close()
    for pack in (mirror / "objects/pack").glob("*"):
        moved = mirror / pack.name
        shutil.move(pack, moved)
        if pack.suffix == ".pack":
            with moved.open("rb") as stream:
                subprocess.run(
                    ["git", "--git-dir", str(mirror), "unpack-objects", "-q"],
                    stdin=stream,
                    check=True,
                )
    loose = mirror / "objects" / oid[:2] / oid[2:]
    loose.chmod(0o644)
    loose.write_bytes(zlib.compress(f"{kind} {len(body)}\0".encode() + body))


def test_a_falsified_blob_is_not_checked_out_although_git_would(
    here: Place, sha: str, tmp_path: Path
) -> None:
    here.ensure(sha)
    falsify(here, git(here.source, "rev-parse", "HEAD:a.txt"), "blob", b"evil\n")
    here.mirrors.close()
    target = tmp_path / "by-git"
    target.mkdir()
    git(target, "--git-dir", str(here.mirror_folder()), "--work-tree", ".", "checkout", "-q", sha,
        "--", ".")  # fmt: skip
    assert (target / "a.txt").read_text() == "evil\n"

    with pytest.raises(IntegrityError, match="OBJECT_CORRUPT"):
        here.materialise(sha)


@pytest.mark.parametrize("revision", ["HEAD^{tree}", "HEAD:d"])
def test_a_falsified_tree_is_not_checked_out(here: Place, sha: str, revision: str) -> None:
    here.ensure(sha)
    blob = git(here.source, "rev-parse", "HEAD:a.txt")
    body = b"100644 evil\0" + bytes.fromhex(blob)
    falsify(here, git(here.source, "rev-parse", revision), "tree", body)

    with pytest.raises(IntegrityError, match="OBJECT_CORRUPT"):
        here.materialise(sha)


def test_a_falsified_commit_is_not_believed(here: Place, sha: str) -> None:
    here.ensure(sha)
    other = git(here.source, "rev-parse", "HEAD:d")
    falsify(here, sha, "commit", f"tree {other}\nauthor a <b> 1 +0000\n".encode())
    here.mirrors.close()
    here.mirrors = here.new_mirrors()

    with pytest.raises(IntegrityError, match="OBJECT_CORRUPT"):
        here.materialise(sha)


def test_a_blob_that_poses_as_a_folder_is_refused(here: Place) -> None:
    blob = write_object(here.source, "blob", b"x")
    tree = write_tree(here.source, [("40000", b"d", blob)])
    sha = plant(here, tree, [blob])

    with pytest.raises(IntegrityError, match="OBJECT_CORRUPT"):
        here.materialise(sha)


def test_an_object_file_of_garbage_is_an_integrity_error(here: Place, sha: str) -> None:
    here.ensure(sha)
    oid = git(here.source, "rev-parse", "HEAD:a.txt")
    falsify(here, oid, "blob", b"")
    (here.mirror_folder() / "objects" / oid[:2] / oid[2:]).write_bytes(b"garbage")
    here.mirrors.close()

    with pytest.raises(IntegrityError, match="OBJECT_CORRUPT"):
        here.materialise(sha)


def test_a_failed_build_is_not_cached(here: Place, sha: str) -> None:
    here.ensure(sha)
    falsify(here, git(here.source, "rev-parse", "HEAD:a.txt"), "blob", b"evil\n")
    here.mirrors.close()
    for _ in range(2):
        with pytest.raises(IntegrityError), here.use(sha):
            pass

    assert here.checkouts.entries() == ()


# --- names and links that lead out of the tree ------------------------------------------------


def plant(here: Place, tree: str, oids: list[str]) -> str:
    """A commit of that tree, and these objects, straight in the mirror: past git's own checks."""
    here.ensure(git(here.source, "rev-parse", "HEAD"))
    sha = commit_tree(here.source, tree)
    for oid in (*oids, tree, sha):
        target = here.mirror().objects / oid[:2] / oid[2:]
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            shutil.copyfile(here.source / ".git/objects" / oid[:2] / oid[2:], target)
    return sha


EVIL_NAMES = [
    b".git", b".GIT", b".Git", b"git~1", b"GIT~1", b".git ", b".git.", b".git::$INDEX_ALLOCATION",
    ".g\u200cit".encode(), "\ufeff.git".encode(), b"..", b".", b"", b"a/b", b"/etc/passwd",
    b"../out", b"a\\.git",
]  # fmt: skip


@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("mode", ["100644", "40000", "120000"])
def test_an_entry_that_would_leave_the_tree_or_be_a_git_directory_is_refused(
    here: Place, tmp_path: Path, name: bytes, mode: str
) -> None:
    content = write_object(here.source, "blob", b"/tmp")
    oid = write_tree(here.source, [("100644", b"config", content)]) if mode == "40000" else content
    sub = write_tree(here.source, [(mode, name, oid)])
    sha = plant(here, write_tree(here.source, [("40000", b"sub", sub)]), [content, oid, sub])

    with pytest.raises(RefusedError, match="CHECKOUT_REFUSED"):
        here.materialise(sha)

    assert not (tmp_path / "built/tree").exists(), "refused before anything was written"


def test_still_allows_names_that_only_look_odd(here: Place) -> None:
    files = {".gitignore": "", ".github/x": "y", "...": "", "-rf": "", "x.git": "", "nul l": ""}
    sha = commit(here.source, files)
    here.ensure(sha)

    assert set(os.listdir(here.materialise(sha) / "tree")) > {".gitignore", "...", "-rf", "x.git"}


def test_a_repository_with_a_git_directory_inside_is_refused_when_it_is_fetched(
    here: Place,
) -> None:
    blob = write_object(here.source, "blob", b"[core]\n")
    inner = write_tree(here.source, [("100644", b"config", blob)])
    tree = write_tree(here.source, [("40000", b".GIT", inner)])
    sha = commit_tree(here.source, tree, ref="refs/heads/evil")

    with pytest.raises(RefusedError, match="CHECKOUT_REFUSED"):
        here.ensure(sha)


def test_a_file_below_a_link_is_not_written_through_it(here: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = write_object(here.source, "blob", str(outside).encode())
    blob = write_object(here.source, "blob", b"evil")
    inner = write_tree(here.source, [("100644", b"x", blob)])
    tree = write_tree(here.source, [("120000", b"a", link), ("40000", b"a", inner)])
    sha = plant(here, tree, [link, blob, inner])

    with pytest.raises(RefusedError, match="CHECKOUT_REFUSED"):
        here.materialise(sha)

    assert list(outside.iterdir()) == []


def test_a_second_file_of_the_same_name_is_refused(here: Place) -> None:
    one, two = (write_object(here.source, "blob", body) for body in (b"shown", b"used"))
    tree = write_tree(here.source, [("100644", b"a", one), ("100755", b"a", two)])
    sha = plant(here, tree, [one, two])

    with pytest.raises(RefusedError, match="CHECKOUT_REFUSED"):
        here.materialise(sha)


@pytest.mark.parametrize("mode", ["0", "10644", "60000", "20000", "140000", "9", "x"])
def test_a_mode_that_is_no_file_folder_or_link_is_refused(here: Place, mode: str) -> None:
    blob = write_object(here.source, "blob", b"x")
    tree = write_tree(here.source, [(mode, b"a", blob)])

    with pytest.raises(RefusedError, match="CHECKOUT_REFUSED"):
        here.materialise(plant(here, tree, [blob]))


@pytest.mark.parametrize("mode", ["104755", "102777", "100666"])
def test_no_set_user_bit_and_no_open_file_comes_out_of_a_tree(here: Place, mode: str) -> None:
    blob = write_object(here.source, "blob", b"x")
    sha = plant(here, write_tree(here.source, [(mode, b"a", blob)]), [blob])

    written = (here.materialise(sha) / "tree/a").stat().st_mode & 0o7777

    assert written in (0o644, 0o755)


@pytest.mark.parametrize("target", [b"", b"a\0b", b"x" * 5000])
def test_a_link_that_cannot_be_one_is_refused(here: Place, target: bytes) -> None:
    blob = write_object(here.source, "blob", target)
    sha = plant(here, write_tree(here.source, [("120000", b"a", blob)]), [blob])

    with pytest.raises(RefusedError, match="CHECKOUT_REFUSED"):
        here.materialise(sha)


def test_still_allows_links_wherever_they_lead_without_following_them(here: Place) -> None:
    sha = commit(here.source, {"l": Link("/etc/passwd"), "m": Link("../../.."), "n": Link("n")})
    here.ensure(sha)
    tree = here.materialise(sha) / "tree"

    assert [os.readlink(tree / name) for name in "lmn"] == ["/etc/passwd", "../../..", "n"]


# --- a source or a mirror that wants to run something, or to deceive ---------------------------


def boobytrap(git_dir: Path, alarm: Path) -> None:
    """Every setting and hook that has ever made git run a program while reading."""
    with (git_dir / "config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = {alarm}\n\thooksPath = {alarm.parent}\n"
            f"\tsshCommand = {alarm}\n\tgitProxy = {alarm}\n\talternateRefsCommand = {alarm}\n"
            f"\tpager = {alarm}\n\teditor = {alarm}\n\taskPass = {alarm}\n"
            f"[uploadpack]\n\tpackObjectsHook = {alarm}\n"
            f"[credential]\n\thelper = {alarm}\n"
            f'[remote "origin"]\n\turl = ext::{alarm}\n\tuploadpack = {alarm}\n'
            "\tpromisor = true\n\tfetch = +refs/*:refs/*\n"
            f'[url "ext::{alarm} "]\n\tinsteadOf = /\n'
            f"[diff]\n\texternal = {alarm}\n"
            f'[filter "evil"]\n\tsmudge = {alarm}\n\tclean = {alarm}\n\trequired = true\n'
            f"[alias]\n\tfetch = !{alarm}\n\tcat-file = !{alarm}\n"
        )
    hooks = git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc", "post-index-change"):
        shutil.copy(alarm, hooks / name)


def test_nothing_of_a_boobytrapped_source_is_run(here: Place, alarm: Path) -> None:
    sha = commit(here.source, {".gitattributes": "* filter=evil diff=evil\n", "a.txt": "two\n"})
    boobytrap(here.source / ".git", alarm)

    here.ensure(sha)

    assert (here.materialise(sha) / "tree/a.txt").read_text() == "two\n"
    assert not was_run(alarm)


def test_nothing_of_a_boobytrapped_mirror_is_run_and_the_next_use_cleans_it(
    here: Place, sha: str, alarm: Path
) -> None:
    here.ensure(sha)
    here.mirrors.close()
    boobytrap(here.mirror_folder(), alarm)
    later = commit(here.source, {"a.txt": "two\n"})
    here.mirrors = here.new_mirrors()

    here.ensure(later)

    assert (here.materialise(later) / "tree/a.txt").read_text() == "two\n"
    assert not was_run(alarm)
    assert b"alarm" not in (here.mirror_folder() / "config").read_bytes()
    assert not (here.mirror_folder() / "hooks").exists()


def test_a_source_that_lacks_objects_cannot_have_them_fetched_by_a_command_of_its_own(
    here: Place, sha: str, alarm: Path
) -> None:
    """A partial clone whose missing objects come from a remote with its own upload-pack."""
    oid = git(here.source, "rev-parse", "HEAD:a.txt")
    (here.source / ".git/objects" / oid[:2] / oid[2:]).unlink()
    git(here.source, "config", "core.repositoryFormatVersion", "1")
    git(here.source, "config", "extensions.partialClone", "origin")
    git(here.source, "config", "remote.origin.promisor", "true")
    git(here.source, "config", "remote.origin.url", str(here.source))
    git(here.source, "config", "remote.origin.uploadpack", str(alarm))

    with pytest.raises((UnavailableError, RefusedError, IntegrityError)):
        here.ensure(sha)

    assert not was_run(alarm)


@pytest.mark.parametrize(
    "url", ["ext::sh -c alarm", "fd::17", "file:///etc", "git://127.0.0.1/x", "--upload-pack=alarm"]
)
def test_no_other_transport_is_spoken(here: Place, url: str) -> None:
    mirror = here.mirrors.open(url)

    with pytest.raises(UnavailableError, match="MIRROR_UNAVAILABLE"):
        mirror.ensure_commit("1" * 40, allowed_branches=("main",), default_branch="main")


def test_a_replaced_object_in_the_source_does_not_replace_it_here(here: Place, sha: str) -> None:
    blob = git(here.source, "rev-parse", "HEAD:a.txt")
    evil = write_object(here.source, "blob", b"evil\n")
    git(here.source, "replace", blob, evil)

    here.ensure(sha)

    assert (here.materialise(sha) / "tree/a.txt").read_text() == "one\n"


def test_a_replaced_object_in_the_mirror_is_not_used(here: Place, sha: str) -> None:
    evil_tree = write_tree(here.source, [])
    evil = commit_tree(here.source, evil_tree, ref="refs/heads/evil")
    here.ensure(sha)
    here.ensure(evil)
    git(here.mirror_folder(), "update-ref", f"refs/replace/{sha}", evil)

    assert (here.materialise(sha) / "tree/a.txt").read_text() == "one\n"


def test_a_graft_gives_a_commit_no_other_history(here: Place, sha: str) -> None:
    tree = git(here.source, "rev-parse", "HEAD^{tree}")
    evil = commit_tree(here.source, tree, ref="refs/pull/1/head")
    here.ensure(sha)
    here.ensure(evil)
    info = here.mirror_folder() / "info"
    info.mkdir(exist_ok=True)
    (info / "grafts").write_text(f"{sha} {evil}\n")
    here.mirrors.close()
    here.mirrors = here.new_mirrors()

    assert refusal(here, evil, ("main",)) == "SHA_NOT_ON_ALLOWED_BRANCH"


def refusal(here: Place, sha: str, branches: tuple[str, ...]) -> str:
    with pytest.raises(RefusedError) as caught:
        here.ensure(sha, branches=branches)
    return caught.value.code


def test_a_tag_named_like_an_allowed_branch_vouches_for_nothing(here: Place) -> None:
    git(here.source, "checkout", "-q", "-b", "topic")
    sha = commit(here.source, {"evil": "x"})
    git(here.source, "tag", "main")
    git(here.source, "tag", "heads/main")
    git(here.source, "update-ref", "refs/heads/refs/heads/main", sha)

    assert refusal(here, sha, ("main",)) == "SHA_NOT_ON_ALLOWED_BRANCH"


def test_a_commit_that_only_a_pull_request_holds_is_not_allowed(here: Place) -> None:
    tree = git(here.source, "rev-parse", "HEAD^{tree}")
    sha = commit_tree(here.source, tree, ref="refs/pull/7/head")

    assert refusal(here, sha, ("main",)) == "SHA_NOT_ON_ALLOWED_BRANCH"
    assert refusal(here, sha, ("refs/pull/7/head", "pull/*")) == "SHA_NOT_ON_ALLOWED_BRANCH"


def test_still_allows_it_once_it_is_merged(here: Place, sha: str) -> None:
    tree = git(here.source, "rev-parse", "HEAD^{tree}")
    pull = commit_tree(here.source, tree, [sha], ref="refs/pull/7/head")
    refusal(here, pull, ("main",))
    commit_tree(here.source, tree, [sha, pull], ref="refs/heads/main")

    assert here.ensure(pull, branches=("main",)) == tree


def test_objects_of_another_store_are_not_lent_to_a_mirror(
    here: Place, sha: str, tmp_path: Path
) -> None:
    other = make_repo(tmp_path / "other", {"evil": "x"})
    evil = git(other, "rev-parse", "HEAD")
    here.ensure(sha)
    (here.mirror().objects / "info/alternates").write_text(f"{other}/.git/objects\n")
    here.mirrors.close()
    here.mirrors = here.new_mirrors()

    assert refusal(here, evil, ("*",)) == "SHA_NOT_FOUND"
    assert not (here.mirror().objects / "info/alternates").exists()


def test_a_fetch_that_was_killed_half_way_is_in_nobodys_way(here: Place, sha: str) -> None:
    mirror = here.mirror_folder()
    (mirror / "refs/ci/branches").mkdir(parents=True)
    (mirror / "objects/pack").mkdir(parents=True)
    (mirror / "refs/ci/branches/main.lock").write_text("")
    (mirror / "config.lock").write_text("")
    (mirror / "packed-refs.lock").write_text("")
    (mirror / "shallow").write_text(f"{sha}\n")
    (mirror / "objects/pack/tmp_pack_x").write_bytes(b"PACK")
    (mirror / "config").write_text("[core")

    assert here.ensure(sha)

    assert list(mirror.rglob("*.lock")) == []
    assert not (mirror / "objects/pack/tmp_pack_x").exists()


def test_a_shallow_source_is_named_with_its_remedy(here: Place, tmp_path: Path) -> None:
    for number in range(3):
        commit(here.source, {"a.txt": str(number)})
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{here.source}", str(shallow))
    full = here.source
    here.source = shallow
    sha = git(shallow, "rev-parse", "HEAD")

    with pytest.raises(RefusedError, match="SHALLOW_REPOSITORY") as caught:
        here.ensure(sha)
    assert "--unshallow" in caught.value.remedy

    git(shallow, "fetch", "-q", "--unshallow", str(full))
    assert here.ensure(sha)


@pytest.mark.needs_root
def test_still_allows_a_source_that_another_user_owns(here: Place, sha: str) -> None:
    for folder, _, names in os.walk(here.source):
        for name in ("", *names):
            os.chown(os.path.join(folder, name), 12345, 12345, follow_symlinks=False)

    assert here.ensure(sha)


def test_a_mirror_has_nowhere_to_push_to(here: Place, sha: str) -> None:
    here.ensure(sha)

    assert git(here.mirror_folder(), "remote") == ""
    assert "url" not in (here.mirror_folder() / "config").read_text()


# --- a job that got out: whatever it does to a sealed checkout is seen --------------------------


def edit_and_restore_the_time(tree: Path) -> None:
    before = (tree / "a.txt").stat()
    (tree / "a.txt").write_text("owe\n")
    os.utime(tree / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))


def edit_and_restore_everything(tree: Path) -> None:
    edit_and_restore_the_time(tree)
    before = (tree / "a.txt").stat()
    (tree / "a.txt").write_text("one\n")
    os.utime(tree / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_rename(tree: Path) -> None:
    shutil.copy2(tree / "a.txt", tree.parent.parent / "copy")
    (tree.parent.parent / "copy").rename(tree / "a.txt")


def chmod_and_back(tree: Path) -> None:
    (tree / "run").chmod(0o777)
    (tree / "run").chmod(0o755)


def chmod_a_folder_and_back(tree: Path) -> None:
    (tree / "d").chmod(0o777)
    (tree / "d").chmod(0o755)


def add_an_ignored_file(tree: Path) -> None:
    (tree / "d" / "x.pyc").write_text("evil")


def add_and_remove_a_file(tree: Path) -> None:
    (tree / "d" / "x").write_text("evil")
    (tree / "d" / "x").unlink()


def remove_a_file(tree: Path) -> None:
    (tree / "d" / "b.txt").unlink()


def hard_link_from_outside(tree: Path) -> None:
    os.link(tree / "a.txt", tree.parent.parent.parent / "outside")


def hard_link_from_outside_and_back(tree: Path) -> None:
    hard_link_from_outside(tree)
    (tree.parent.parent.parent / "outside").unlink()


def swap_a_folder(tree: Path) -> None:
    shutil.copytree(tree / "d", tree.parent.parent / "d2", copy_function=shutil.copy2)
    (tree / "d").rename(tree.parent.parent / "d-old")
    (tree.parent.parent / "d2").rename(tree / "d")


def file_into_link(tree: Path) -> None:
    (tree / "a.txt").unlink()
    (tree / "a.txt").symlink_to("/etc/hostname")


TAMPERINGS: list[Callable[[Path], None]] = [
    edit_and_restore_the_time,
    edit_and_restore_everything,
    replace_by_rename,
    chmod_and_back,
    chmod_a_folder_and_back,
    add_an_ignored_file,
    add_and_remove_a_file,
    remove_a_file,
    hard_link_from_outside,
    hard_link_from_outside_and_back,
    swap_a_folder,
    file_into_link,
]


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda attack: attack.__name__)
def test_the_snapshot_sees(here: Place, sha: str, tamper: Callable[[Path], None]) -> None:
    with here.use(sha) as checkout:
        tamper(checkout.tree)
        found = here.checkouts.check(checkout)

    assert not found.intact
    assert not found.head_moved
    assert all(path.startswith("tree") for path in found.changed_files)
    assert found.changed_files


def move_head(git_dir: Path) -> None:
    (git_dir / "HEAD").write_text("1" * 40 + "\n")


def replace_head(git_dir: Path) -> None:
    (git_dir / "new").write_bytes((git_dir / "HEAD").read_bytes())
    (git_dir / "new").rename(git_dir / "HEAD")


def add_a_ref(git_dir: Path) -> None:
    (git_dir / "refs/heads").mkdir()


def assume_unchanged(git_dir: Path) -> None:
    git(git_dir.parent / "tree", "update-index", "--assume-unchanged", "a.txt")


def set_a_setting(git_dir: Path) -> None:
    git(git_dir.parent / "tree", "config", "core.fsmonitor", "/tmp/evil")


def exclude(git_dir: Path) -> None:
    (git_dir / "info").mkdir()
    (git_dir / "info/exclude").write_text("*\n")


HEAD_TAMPERINGS: list[Callable[[Path], None]] = [
    move_head, replace_head, add_a_ref, assume_unchanged, set_a_setting, exclude,
]  # fmt: skip


@pytest.mark.parametrize("tamper", HEAD_TAMPERINGS, ids=lambda attack: attack.__name__)
def test_the_snapshot_sees_in_the_git_directory(
    here: Place, sha: str, tamper: Callable[[Path], None]
) -> None:
    with here.use(sha) as checkout:
        tamper(checkout.entry / "git")
        found = here.checkouts.check(checkout)

    assert not found.intact
    assert found.head_moved


def replace_the_tree(entry: Path) -> None:
    shutil.copytree(entry / "tree", entry / "tree2", symlinks=True)
    (entry / "tree").rename(entry.parent / "old")
    (entry / "tree2").rename(entry / "tree")


def replace_the_entry(entry: Path) -> None:
    shutil.copytree(entry, entry.with_name("copy"), symlinks=True)
    entry.rename(entry.with_name("old"))
    entry.with_name("copy").rename(entry)


def point_to_other_objects(entry: Path) -> None:
    (entry / "objects").unlink()
    (entry / "objects").symlink_to("/tmp")


def point_git_elsewhere(entry: Path) -> None:
    (entry / "tree/.git").write_text("gitdir: /tmp/x\n")


def remove_the_entry(entry: Path) -> None:
    shutil.rmtree(entry)


def forge_the_snapshot(entry: Path) -> None:
    with entry.with_name(f"{entry.name}.snapshot").open("ab") as snapshot:
        snapshot.write(b"x\0" + b"1\n")


ENTRY_TAMPERINGS: list[Callable[[Path], None]] = [
    replace_the_tree, replace_the_entry, point_to_other_objects, point_git_elsewhere,
    remove_the_entry, forge_the_snapshot,
]  # fmt: skip


@pytest.mark.parametrize("tamper", ENTRY_TAMPERINGS, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("full", [False, True], ids=["quick", "full"])
def test_even_without_a_walk_it_is_seen(
    here: Place, sha: str, tamper: Callable[[Path], None], full: bool
) -> None:
    with here.use(sha) as checkout:
        tamper(checkout.entry)
        found = here.checkouts.check(checkout, full=full)

    assert not found.intact
    assert found.changed_files


def test_head_moved_is_seen_even_without_a_walk(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        move_head(checkout.entry / "git")
        found = here.checkouts.check(checkout, full=False)

    assert found.head_moved


def test_still_allows_a_job_that_only_reads(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        git(checkout.tree, "--no-optional-locks", "status")
        git(checkout.tree, "diff", "HEAD")
        for path in checkout.tree.rglob("*"):
            if path.is_file():
                path.read_bytes()

        assert here.checkouts.check(checkout, full=True).intact
