"""Is a commit there, and on an allowed branch?"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import RefusedError, UnavailableError
from tests.support.git_mirrors import Place, place
from tests.support.git_repos import commit, commit_tree, git, make_repo, write_object

ROOT = Path(__file__).parents[3]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        make_repo(made.source, {"a.txt": "one\n"})
        yield made


def code_of(here: Place, sha: str, *, branches: tuple[str, ...] = ("*",)) -> str:
    with pytest.raises(RefusedError) as caught:
        here.ensure(sha, branches=branches)
    return caught.value.code


def test_answers_with_the_tree_of_a_commit(here: Place) -> None:
    sha = git(here.source, "rev-parse", "HEAD")

    assert here.ensure(sha) == git(here.source, "rev-parse", "HEAD^{tree}")


def test_the_second_answer_needs_no_process(here: Place, tmp_path: Path) -> None:
    sha = git(here.source, "rev-parse", "HEAD")
    tree = here.ensure(sha)
    here.mirrors.close()
    (tmp_path / "gitconfig").unlink()
    here.source.rename(tmp_path / "moved away")

    assert here.ensure(sha) == tree


def test_another_process_needs_no_source_either(here: Place, tmp_path: Path) -> None:
    sha = git(here.source, "rev-parse", "HEAD")
    tree = here.ensure(sha)
    here.mirrors.close()
    here.source.rename(tmp_path / "moved away")

    here.mirrors = here.new_mirrors()

    assert here.ensure(sha) == tree


def test_finds_a_commit_that_came_later(here: Place) -> None:
    here.ensure(git(here.source, "rev-parse", "HEAD"))
    later = commit(here.source, {"b.txt": "two\n"})

    assert here.ensure(later) == git(here.source, "rev-parse", "HEAD^{tree}")


def test_an_older_commit_of_an_allowed_branch_is_allowed(here: Place) -> None:
    first = git(here.source, "rev-parse", "HEAD")
    commit(here.source, {"b.txt": "two\n"})

    assert here.ensure(first, branches=("main",))


def test_a_repository_with_sha256_ids(here: Place, tmp_path: Path) -> None:
    here.source = make_repo(tmp_path / "sha256", {"a": "b"}, object_format="sha256")
    sha = git(here.source, "rev-parse", "HEAD")

    assert len(here.ensure(sha)) == 64
    assert git(here.materialise(sha) / "tree", "status", "--porcelain") == ""


def test_a_sha256_id_in_a_sha1_repository_is_not_found(here: Place) -> None:
    assert code_of(here, "a" * 64) == "SHA_NOT_FOUND"
    assert here.ensure(git(here.source, "rev-parse", "HEAD"))


def test_an_unknown_commit_is_not_found(here: Place) -> None:
    assert code_of(here, "1" * 40) == "SHA_NOT_FOUND"


@pytest.mark.parametrize(
    "sha",
    ["main", "HEAD", "", "--all", "1" * 39, "1" * 41, "A" * 40, "1" * 40 + "\n", ":/first",
     "1" * 40 + "\n+refs/heads/*:refs/ci/branches/*"],
)  # fmt: skip
def test_only_a_full_id_is_looked_for(here: Place, sha: str) -> None:
    assert code_of(here, sha) == "SHA_NOT_FOUND"


def test_an_empty_repository_has_no_commit(here: Place, tmp_path: Path) -> None:
    here.source = make_repo(tmp_path / "empty")

    assert code_of(here, "1" * 40) == "SHA_NOT_FOUND"


@pytest.mark.parametrize("revision", ["HEAD^{tree}", "HEAD:a.txt", "v1"])
def test_a_tree_a_blob_or_a_tag_object_is_not_a_commit(here: Place, revision: str) -> None:
    git(here.source, "tag", "-a", "v1", "-m", "release")

    assert code_of(here, git(here.source, "rev-parse", revision)) == "SHA_NOT_A_COMMIT"


def test_a_blob_that_no_branch_holds_is_not_a_commit(here: Place) -> None:
    assert code_of(here, write_object(here.source, "blob", b"loose")) in (
        "SHA_NOT_A_COMMIT",
        "SHA_NOT_FOUND",
    )


def test_a_commit_of_another_branch_is_not_allowed(here: Place) -> None:
    git(here.source, "checkout", "-q", "-b", "topic")
    sha = commit(here.source, {"b.txt": "two\n"})

    assert code_of(here, sha, branches=("main",)) == "SHA_NOT_ON_ALLOWED_BRANCH"
    assert here.ensure(sha, branches=("main", "topic"))


def test_what_one_list_of_branches_allows_another_does_not_inherit(here: Place) -> None:
    git(here.source, "checkout", "-q", "-b", "topic")
    sha = commit(here.source, {"b.txt": "two\n"})
    here.ensure(sha, branches=("topic",))

    assert code_of(here, sha, branches=("main",)) == "SHA_NOT_ON_ALLOWED_BRANCH"


@pytest.mark.parametrize(
    ("branch", "allowed"),
    [("release/1.0", True), ("release/a/b", True), ("releases", False), ("Release/1", False)],
)
def test_patterns_match_the_full_branch_name(here: Place, branch: str, allowed: bool) -> None:
    git(here.source, "checkout", "-q", "-b", branch)
    sha = commit(here.source, {"b.txt": "two\n"})

    if allowed:
        assert here.ensure(sha, branches=("release/*",))
    else:
        assert code_of(here, sha, branches=("release/*",)) == "SHA_NOT_ON_ALLOWED_BRANCH"


def test_of_a_path_any_ref_vouches(here: Place) -> None:
    tree = git(here.source, "rev-parse", "HEAD^{tree}")
    sha = commit_tree(here.source, tree, ref="refs/stuff/mine")

    assert here.ensure(sha) == tree


def test_of_a_path_a_detached_head_vouches(here: Place) -> None:
    git(here.source, "checkout", "-q", "--detach")
    sha = commit(here.source, {"b.txt": "two\n"})

    assert here.ensure(sha)


def test_of_a_path_a_commit_that_nothing_leads_to_is_refused(here: Place) -> None:
    sha = commit_tree(here.source, git(here.source, "rev-parse", "HEAD^{tree}"))

    assert code_of(here, sha) in ("SHA_NOT_ON_ALLOWED_BRANCH", "SHA_NOT_FOUND")


def test_a_linked_worktree_and_a_bare_repository_are_sources_too(
    here: Place, tmp_path: Path
) -> None:
    git(here.source, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    git(here.source, "clone", "-q", "--bare", str(here.source), str(tmp_path / "bare"))
    here.source = tmp_path / "linked"
    sha = commit(here.source, {"b.txt": "two\n"})
    assert here.ensure(sha)

    here.source = tmp_path / "bare"
    assert here.ensure(git(here.source, "rev-parse", "HEAD"))


def test_a_branch_that_became_a_folder_is_followed(here: Place) -> None:
    git(here.source, "branch", "topic")
    here.ensure(git(here.source, "rev-parse", "HEAD"))
    git(here.source, "branch", "-D", "topic")
    git(here.source, "checkout", "-q", "-b", "topic/two")

    assert here.ensure(commit(here.source, {"b.txt": "two\n"}))


def test_a_branch_that_was_removed_vouches_for_nothing_new(here: Place) -> None:
    git(here.source, "checkout", "-q", "-b", "release/1")
    base = commit(here.source, {"b.txt": "two\n"})
    tip = commit(here.source, {"b.txt": "three\n"})
    here.ensure(tip, branches=("release/*",))
    git(here.source, "checkout", "-q", "main")
    git(here.source, "branch", "-D", "release/1")
    here.ensure(commit(here.source, {"c": "d"}), branches=("*",))
    here.mirrors.close()
    here.mirrors = here.new_mirrors()

    assert code_of(here, base, branches=("release/*",)) == "SHA_NOT_ON_ALLOWED_BRANCH"


def test_a_repository_that_is_not_there_is_unavailable(here: Place, tmp_path: Path) -> None:
    here.source = tmp_path / "nowhere"

    with pytest.raises(UnavailableError, match="MIRROR_UNAVAILABLE"):
        here.ensure("1" * 40)


@pytest.mark.parametrize(
    ("url", "local"),
    [("relative/path", True), ("/absolute", False), ("https://host/x", True), ("/a\nb", True)],
)
def test_a_path_is_only_opened_as_a_path(here: Place, url: str, local: bool) -> None:
    with pytest.raises(RefusedError, match="MIRROR_URL_REFUSED"):
        here.mirrors.open(url, local=local)


def test_one_mirror_a_url(here: Place) -> None:
    one = here.mirrors.open("https://example.org/a")

    assert here.mirrors.open("https://example.org/a") is one
    assert here.mirrors.open("https://example.org/b").key != one.key


def test_many_threads_get_one_answer(here: Place) -> None:
    sha = git(here.source, "rev-parse", "HEAD")
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(here.ensure(sha))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [git(here.source, "rev-parse", "HEAD^{tree}")] * 8


def test_two_processes_on_a_fresh_mirror_both_succeed(here: Place, tmp_path: Path) -> None:
    sha = git(here.source, "rev-parse", "HEAD")
    script = (
        "import sys; from pathlib import Path; from tests.support.git_mirrors import place\n"
        "with place(Path(sys.argv[1])) as here: print(here.ensure(sys.argv[2]))\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), sha],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]

    said = [process.communicate(timeout=60)[0].strip() for process in both]

    assert said == [git(here.source, "rev-parse", "HEAD^{tree}")] * 2


def test_nothing_that_was_fetched_is_dropped_by_a_repack(here: Place) -> None:
    sha = git(here.source, "rev-parse", "HEAD")
    here.ensure(sha)
    git(here.source, "checkout", "-q", "--orphan", "other")
    git(here.source, "branch", "-D", "main")
    here.ensure(commit(here.source, {"b": "c"}))
    here.mirror().drop_keep(sha)

    here.mirror().repack()

    assert (here.materialise(sha) / "tree" / "a.txt").read_text() == "one\n"


def test_a_commit_that_is_no_longer_kept_is_checked_anew(here: Place) -> None:
    sha = git(here.source, "rev-parse", "HEAD")
    here.ensure(sha)
    here.mirror().drop_keep(sha)

    assert here.ensure(sha)
    assert (here.mirror_folder() / "refs/ci/keep" / sha).exists()


def test_eviction_removes_one_mirror_and_the_next_job_fetches_it_again(here: Place) -> None:
    sha = git(here.source, "rev-parse", "HEAD")
    here.ensure(sha)
    (entry,) = here.mirrors.entries()
    assert entry.remote_url == str(here.source)
    assert entry.size_bytes > 0

    assert here.mirrors.evict(entry.key)

    assert here.mirrors.entries() == ()
    assert here.ensure(sha)


def test_a_mirror_in_use_is_not_evicted(here: Place) -> None:
    here.ensure(git(here.source, "rev-parse", "HEAD"))

    with here.mirror().hold():
        assert not here.mirrors.evict(here.mirror().key)


@pytest.mark.parametrize("key", ["", "..", "../x", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_only_a_key_can_be_evicted(here: Place, key: str) -> None:
    with pytest.raises(RefusedError, match="CACHE_KEY_REFUSED"):
        here.mirrors.evict(key)


def test_no_process_is_left_after_close(here: Place) -> None:
    here.ensure(git(here.source, "rev-parse", "HEAD"))
    assert "git" in children()

    here.mirrors.close()

    assert "git" not in children()


def children() -> list[str]:
    """The names of this process's children."""
    task = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()
    return [Path(f"/proc/{pid}/comm").read_text().strip() for pid in task.split()]
