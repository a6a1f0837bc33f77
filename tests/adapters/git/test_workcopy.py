"""What a revision means in the operator's own repository."""

from pathlib import Path

import pytest

from runner.adapters.git.workcopy import has_uncommitted, resolve_revision
from runner.errors import ConfigurationError
from tests.support.git_repos import commit, git, make_repo


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo", {"a": "one\n"})


def test_branches_tags_and_expressions_become_a_full_id(repo: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "-a", "v1", "-m", "release")
    second = commit(repo, {"a": "two\n"})

    assert resolve_revision(repo, "HEAD") == second
    assert resolve_revision(repo, "main") == second
    assert resolve_revision(repo, "v1") == first
    assert resolve_revision(repo, "HEAD~1") == first
    assert resolve_revision(repo, first[:10]) == first


@pytest.mark.parametrize(
    "revision",
    ["nowhere", "", "--help", "-q", "HEAD:a", "HEAD^{tree}", "1" * 40, "a\nb", "main main"],
)
def test_anything_that_is_no_commit_is_refused(repo: Path, revision: str) -> None:
    with pytest.raises(ConfigurationError, match="REVISION_UNKNOWN"):
        resolve_revision(repo, revision)


@pytest.mark.parametrize("warns", ["true", "false"])
def test_a_tag_that_is_called_like_a_branch_is_refused_and_not_taken(
    repo: Path, tmp_path: Path, warns: str
) -> None:
    sha = git(repo, "rev-parse", "HEAD")
    git(tmp_path, "clone", "-q", str(repo), "clone")
    git(repo, "checkout", "-q", "-b", "theirs")
    commit(repo, {"evil": "x\n"})
    git(repo, "tag", "origin/main")
    commit(repo, {"nice": "x\n"})
    clone = tmp_path / "clone"
    git(clone, "fetch", "-q")
    git(clone, "config", "core.warnAmbiguousRefs", warns)
    assert git(clone, "tag") == "origin/main"

    with pytest.raises(ConfigurationError, match="REVISION_AMBIGUOUS"):
        resolve_revision(clone, "origin/main")
    with pytest.raises(ConfigurationError, match="REVISION_AMBIGUOUS"):
        resolve_revision(clone, "origin/main~0")
    assert resolve_revision(clone, "refs/remotes/origin/main") == sha


def test_a_tag_that_is_called_like_the_beginning_of_an_id_is_refused(repo: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    commit(repo, {"a": "two\n"})
    git(repo, "tag", first[:10])
    with pytest.raises(ConfigurationError, match="REVISION_AMBIGUOUS"):
        resolve_revision(repo, first[:10])


@pytest.mark.parametrize("place", ["refs/heads/", "refs/tags/"])
def test_head_and_a_full_id_mean_what_they_say_whatever_else_is_called_so(
    repo: Path, place: str
) -> None:
    first = git(repo, "rev-parse", "HEAD")
    second = commit(repo, {"a": "two\n"})
    git(repo, "update-ref", f"{place}HEAD", first)
    git(repo, "update-ref", f"{place}{second}", first)
    assert resolve_revision(repo, "HEAD") == second
    assert resolve_revision(repo, "HEAD~1") == first
    assert resolve_revision(repo, second) == second


def test_a_graft_of_the_repositorys_own_leads_nowhere(repo: Path) -> None:
    first = git(repo, "rev-parse", "HEAD")
    second = commit(repo, {"a": "two\n"})
    third = commit(repo, {"a": "three\n"})
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "grafts").write_text(f"{third} {first}\n")
    assert resolve_revision(repo, "HEAD~1") == second


def test_a_folder_that_is_no_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="NOT_A_REPOSITORY"):
        resolve_revision(tmp_path, "HEAD")
    with pytest.raises(ConfigurationError, match="NOT_A_REPOSITORY"):
        resolve_revision(tmp_path / "missing", "HEAD")


def test_a_repository_without_a_commit_has_no_head(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="REVISION_UNKNOWN"):
        resolve_revision(make_repo(tmp_path / "empty"), "HEAD")


def test_a_bare_repository_and_a_linked_worktree_are_repositories(
    repo: Path, tmp_path: Path
) -> None:
    sha = git(repo, "rev-parse", "HEAD")
    git(repo, "clone", "-q", "--bare", str(repo), str(tmp_path / "bare"))
    git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    linked = commit(tmp_path / "linked", {"b": "c"})

    assert resolve_revision(tmp_path / "bare", "main") == sha
    assert resolve_revision(tmp_path / "linked", "HEAD") == linked


def test_the_environment_of_a_hook_does_not_point_elsewhere(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repo(tmp_path / "other", {"z": "other\n"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git/objects"))

    assert resolve_revision(repo, "HEAD") == git(repo, "rev-parse", "HEAD")


def test_what_no_commit_has_is_noticed(repo: Path) -> None:
    assert has_uncommitted(repo) is False
    commit(repo, {"a": "1\n", ".gitignore": "ignored\n"})
    (repo / "ignored").write_text("x")
    assert has_uncommitted(repo) is False
    (repo / "a").write_text("22\n")
    assert has_uncommitted(repo) is True
    git(repo, "add", "a")
    assert has_uncommitted(repo) is True
    git(repo, "commit", "-q", "-m", "it")
    (repo / "new").touch()
    assert has_uncommitted(repo) is True


def test_a_filter_of_the_repositorys_own_is_never_run(repo: Path, tmp_path: Path) -> None:
    """Comparing a file's content would run it; ``.git/config`` may be somebody else's idea."""
    commit(repo, {"a": "1\n", ".gitattributes": "a filter=evil\n"})
    trap = tmp_path / "ran"
    git(repo, "config", "filter.evil.clean", f"touch {trap}; cat")
    for content in ("2\n", "1\n"):
        (repo / "a").write_text(content)
        assert has_uncommitted(repo) is None
    assert not trap.exists()
    git(repo, "status")
    assert trap.exists()  # it would have


def test_a_bare_or_empty_repository_has_no_answer(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare")
    assert has_uncommitted(tmp_path / "bare") is None
    assert has_uncommitted(make_repo(tmp_path / "empty")) is None
