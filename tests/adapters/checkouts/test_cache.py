"""One sealed checkout for each commit: built once, shared, checked, evicted."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.errors import BugError, RefusedError
from runner.model.checkout import BuiltTree
from tests.support.git_mirrors import Place, place
from tests.support.git_repos import commit, git, make_big_repo, make_repo

ROOT = Path(__file__).parents[3]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        make_repo(made.source, {"a.txt": "one\n", "d/b.txt": "two\n"})
        yield made


@pytest.fixture
def sha(here: Place) -> str:
    return git(here.source, "rev-parse", "HEAD")


def never(folder: Path) -> BuiltTree:
    raise AssertionError("must not be built")


def test_the_first_use_builds_and_the_next_one_does_not(here: Place, sha: str) -> None:
    with here.use(sha) as first:
        assert (first.tree / "a.txt").read_text() == "one\n"

    mirror = here.mirror()
    with here.checkouts.use(mirror.key, mirror.objects, sha, never) as second:
        assert second == first
    with here.new_checkouts().use(mirror.key, mirror.objects, sha, never) as third:
        assert third == first


def test_a_checkout_says_what_it_is(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        assert checkout.sha == sha
        assert checkout.tree_id == git(here.source, "rev-parse", "HEAD^{tree}")
        assert checkout.entry == here.folder / "checkouts" / here.mirror().key / sha
        assert checkout.objects == here.mirror().objects
        assert not checkout.has_githooks


def test_an_untouched_checkout_is_intact_both_ways(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        full = here.checkouts.check(checkout)
        quick = here.checkouts.check(checkout, full=False)

    assert (full.method, full.intact, full.changed_files) == ("snapshot", True, ())
    assert (quick.method, quick.intact) == ("audit-pending", True)


def test_above_the_limit_the_walk_is_left_to_the_auditor(here: Place, sha: str) -> None:
    cache = here.new_checkouts(snapshot_limit=2)
    with here.use(sha, checkouts=cache) as checkout:
        assert cache.check(checkout).method == "audit-pending"
        assert cache.check(checkout, full=True).method == "snapshot"


def test_reading_changes_nothing(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        git(checkout.tree, "--no-optional-locks", "status")
        git(checkout.tree, "log")
        (checkout.tree / "a.txt").read_text()

        assert here.checkouts.check(checkout, full=True).intact


def test_a_build_that_fails_leaves_nothing(here: Place, sha: str) -> None:
    def fail(folder: Path) -> BuiltTree:
        (folder / "tree").mkdir()
        raise RefusedError("CHECKOUT_REFUSED", "no")

    mirror = here.mirror()
    with (
        pytest.raises(RefusedError),
        here.checkouts.use(mirror.key, mirror.objects, sha, fail),
    ):
        pass

    assert list((here.folder / "checkouts" / mirror.key).iterdir()) == []
    with here.use(sha) as checkout:
        assert here.checkouts.check(checkout).intact


def test_leftovers_of_a_build_that_was_killed_are_cleared(here: Place, sha: str) -> None:
    folder = here.folder / "checkouts" / here.mirror().key
    (folder / f".building-{sha}" / "tree").mkdir(parents=True)
    (folder / sha / "tree").mkdir(parents=True)
    (folder / sha / "tree" / "evil").write_text("not sealed")
    (folder / f"{sha}.snapshot").write_text("half")

    with here.use(sha) as checkout:
        assert sorted(os.listdir(checkout.tree)) == [".git", "a.txt", "d"]
        assert here.checkouts.check(checkout).intact


def test_leftovers_of_commits_that_nobody_wants_again_are_swept(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        folder = checkout.entry.parent
        other = "1" * 40
        (folder / f".building-{other}" / "tree").mkdir(parents=True)
        (folder / f"{'2' * 40}.snapshot").write_text("half")

        assert here.checkouts.sweep() == 2

        assert here.checkouts.check(checkout).intact
    assert sorted(os.listdir(folder)) == [sha, f"{sha}.seal.json", f"{sha}.snapshot"]


def test_a_build_under_way_is_not_swept(here: Place, sha: str) -> None:
    here.ensure(sha)
    mirror = here.mirror()

    def build(folder: Path) -> BuiltTree:
        assert here.new_checkouts().sweep() == 0
        return mirror.materialise(sha, folder)

    with here.checkouts.use(mirror.key, mirror.objects, sha, build) as checkout:
        assert here.checkouts.check(checkout).intact


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"built": 1}'])
def test_a_seal_that_cannot_be_read_is_no_seal(here: Place, sha: str, content: bytes) -> None:
    with here.use(sha) as checkout:
        seal = checkout.entry.with_name(f"{sha}.seal.json")
    seal.write_bytes(content)

    with here.use(sha) as again:
        assert here.checkouts.check(again).intact


def test_many_threads_build_once(here: Place, sha: str) -> None:
    mirror = here.mirror()
    here.ensure(sha)
    builds: list[Path] = []

    def build(folder: Path) -> BuiltTree:
        builds.append(folder)
        return mirror.materialise(sha, folder)

    def use() -> None:
        with here.checkouts.use(mirror.key, mirror.objects, sha, build):
            pass

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(builds) == 1


def test_many_processes_build_once_and_agree(here: Place, sha: str, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.support.git_mirrors import place\n"
        "with place(Path(sys.argv[1])) as here, here.use(sys.argv[2]) as checkout:\n"
        "    print(checkout.snapshot_sha256, here.checkouts.check(checkout, full=True).intact)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), sha],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = {process.communicate(timeout=60)[0].strip() for process in processes}

    assert len(said) == 1
    assert said.pop().endswith("True")


def test_after_another_boot_the_whole_entry_is_looked_at_again(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        pass
    pretend_another_boot(checkout.entry)

    mirror = here.mirror()
    with here.checkouts.use(mirror.key, mirror.objects, sha, never) as again:
        assert again == checkout


def test_what_a_power_cut_took_is_built_again(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        pass
    os.truncate(checkout.tree / "a.txt", 0)
    pretend_another_boot(checkout.entry)

    with here.use(sha) as again:
        assert (again.tree / "a.txt").read_text() == "one\n"
        assert again.snapshot_sha256 != checkout.snapshot_sha256


def pretend_another_boot(entry: Path) -> None:
    seal = entry.with_name(f"{entry.name}.seal.json")
    content = json.loads(seal.read_text())
    content["boot_id"] = "another"
    seal.write_text(json.dumps(content))


def test_an_entry_that_points_to_another_object_store_is_built_again(
    here: Place, sha: str, tmp_path: Path
) -> None:
    """The state folder was moved: what is linked absolutely is linked wrongly now."""
    with here.use(sha):
        pass
    mirror = here.mirror()
    elsewhere = tmp_path / "elsewhere"

    def build(folder: Path) -> BuiltTree:
        built = mirror.materialise(sha, folder)
        (folder / "objects").unlink()
        (folder / "objects").symlink_to(elsewhere)
        return built

    with here.checkouts.use(mirror.key, elsewhere, sha, build) as checkout:
        assert os.readlink(checkout.entry / "objects") == str(elsewhere)


def test_a_build_of_something_else_is_a_bug_and_is_not_tried_for_ever(
    here: Place, sha: str, tmp_path: Path
) -> None:
    here.ensure(sha)
    mirror = here.mirror()
    with (
        pytest.raises(BugError, match="CHECKOUT_MISBUILT"),
        here.checkouts.use(
            mirror.key, tmp_path, sha, lambda folder: mirror.materialise(sha, folder)
        ),
    ):
        pass


def test_a_quarantined_entry_is_kept_and_built_anew(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        (checkout.tree / "a.txt").write_text("evil\n")
        kept = here.checkouts.quarantine(checkout, "a.txt differs")

        # while the first job still holds the old one
        with here.use(sha) as again:
            assert (again.tree / "a.txt").read_text() == "one\n"
            assert here.checkouts.check(again).intact

    assert (kept / "entry/tree/a.txt").read_text() == "evil\n"
    assert (kept / "why.txt").read_text() == "a.txt differs\n"


def test_a_late_quarantine_does_not_touch_the_new_entry(here: Place, sha: str) -> None:
    with here.use(sha) as old:
        here.checkouts.quarantine(old, "first")
    with here.use(sha) as new:
        here.checkouts.quarantine(old, "second")

        assert here.checkouts.check(new).intact


def test_the_check_of_a_checkout_that_is_gone_is_not_intact(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        here.checkouts.quarantine(checkout, "gone")

        assert not here.checkouts.check(checkout, full=False).intact
        assert not here.checkouts.check(checkout, full=True).intact


def test_entries_say_what_eviction_wants_to_know(here: Place, sha: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    with here.use(sha):
        pass

    (entry,) = here.checkouts.entries()

    assert (entry.key, entry.sha) == (here.mirror().key, sha)
    assert before <= entry.last_used <= datetime.now(UTC) + timedelta(seconds=2)
    assert entry.size_bytes > 0
    assert entry.files > 3


def test_each_use_moves_the_last_used_time(here: Place, sha: str) -> None:
    with here.use(sha):
        pass
    (lock,) = (here.folder / "locks").glob("checkout-*")
    os.utime(lock, (1, 1))
    assert here.checkouts.entries()[0].last_used.year == 1970

    with here.use(sha):
        pass

    assert here.checkouts.entries()[0].last_used.year > 2000


def test_eviction_removes_this_entry_only(here: Place, sha: str) -> None:
    other = commit(here.source, {"c": "d"})
    for one in (sha, other):
        with here.use(one):
            pass

    assert here.checkouts.evict(here.mirror().key, sha)

    assert [entry.sha for entry in here.checkouts.entries()] == [other]
    assert sorted(os.listdir(here.folder / "checkouts" / here.mirror().key)) == [
        other,
        f"{other}.seal.json",
        f"{other}.snapshot",
    ]
    assert not here.checkouts.evict(here.mirror().key, sha)


def test_an_entry_in_use_is_not_evicted(here: Place, sha: str) -> None:
    with here.use(sha) as checkout:
        assert not here.new_checkouts().evict(here.mirror().key, sha)
        assert here.checkouts.check(checkout).intact


def test_eviction_follows_no_link(here: Place, sha: str, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep me")
    with here.use(sha) as checkout:
        pass
    (checkout.tree / "link").symlink_to(precious)
    objects_before = sorted(here.mirror().objects.rglob("*"))

    assert here.checkouts.evict(here.mirror().key, sha)

    assert (precious / "file").read_text() == "keep me"
    assert sorted(here.mirror().objects.rglob("*")) == objects_before


def test_an_entry_that_was_replaced_by_a_link_is_removed_as_a_link(
    here: Place, sha: str, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    with here.use(sha) as checkout:
        pass
    checkout.entry.rename(tmp_path / "aside")
    checkout.entry.symlink_to(precious)

    assert here.checkouts.evict(here.mirror().key, sha)

    assert precious.is_dir()
    assert not os.path.lexists(checkout.entry)


@pytest.mark.parametrize(
    ("key", "sha"), [("..", "1" * 40), ("a" * 64, ".."), ("a" * 64, "1" * 41), ("/", "/")]
)
def test_only_a_key_and_an_id_name_an_entry(here: Place, key: str, sha: str) -> None:
    with pytest.raises(RefusedError, match="CACHE_KEY_REFUSED"):
        here.checkouts.evict(key, sha)


def test_locks_of_evicted_entries_do_not_pile_up(here: Place, sha: str) -> None:
    with here.use(sha):
        pass
    here.checkouts.evict(here.mirror().key, sha)

    assert list((here.folder / "locks").glob("checkout-*")) == []


def test_a_large_checkout_is_one_entry_like_any_other(here: Place, tmp_path: Path) -> None:
    here.source = tmp_path / "big"
    sha = make_big_repo(here.source, 1200)
    with here.use(sha) as checkout:
        assert checkout.files > 1200
        assert here.checkouts.check(checkout, full=True).intact
