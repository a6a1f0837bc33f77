"""The operator's own repository, where they stand in it: which commit does a word mean?

This is the command line's side, where GitPython serves. It is imported only when asked for: it
takes 76 ms, and runs git once to see whether it is there.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.adapters.git.process import readable
from runner.errors import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    import git

# A repository that somebody else owns is only read here, with what it could have us run
# switched off: git-config(1), core.fsmonitor, core.hooksPath, safe.directory.
_SETTINGS = (
    ("safe.directory", "*"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.pager", "cat"),
    ("core.warnAmbiguousRefs", "true"),
    ("advice.graftFileDeprecated", "false"),  # git says so of the empty one below, too
)
# what git takes before any branch or tag of that name: gitrevisions(7)
_ONE_MEANING = re.compile(r"(?:HEAD|[0-9a-f]{40}|[0-9a-f]{64})(?![^~^@])", re.ASCII)


def top_level(path: Path) -> Path:
    """The root of the repository that ``path`` lies in; of a bare one its own folder.

    Raises:
        ConfigurationError: ``NOT_A_REPOSITORY``.
        UnavailableError: ``GIT_NOT_FOUND``.
    """
    try:
        import git
    except ImportError as error:
        raise UnavailableError("GIT_NOT_FOUND", f"git can't be used: {error}") from error
    try:
        with git.Repo(path, search_parent_directories=True) as repo:
            return Path(repo.working_tree_dir or repo.git_dir).resolve()
    except (git.InvalidGitRepositoryError, git.NoSuchPathError, ValueError) as error:
        raise ConfigurationError(
            "NOT_A_REPOSITORY",
            f"{path} isn't in a git repository",
            remedy="name a folder of a repository",
        ) from error


def resolve_revision(path: Path, revision: str) -> str:
    """The full id of the commit that ``revision`` (a branch, tag, ``HEAD~1`` …) means.

    Args:
        path: The repository: its working copy's root, or a bare one.
        revision: As gitrevisions(7). An annotated tag means the commit that it points to.

    Raises:
        ConfigurationError: ``NOT_A_REPOSITORY``, ``REVISION_UNKNOWN``; ``REVISION_AMBIGUOUS``: a
            tag that came with a fetch may have the name of a branch (``origin/main``), and goes
            before it.
        UnavailableError: ``GIT_NOT_FOUND``.
    """
    if not revision or revision.startswith("-") or not revision.isprintable():
        raise _unknown(path, revision, "that isn't a revision")
    try:
        import git
    except ImportError as error:  # what GitPython raises where there is no git
        raise UnavailableError("GIT_NOT_FOUND", f"git can't be used: {error}") from error
    try:
        repo = git.Repo(path)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError, ValueError) as error:
        raise ConfigurationError(
            "NOT_A_REPOSITORY",
            f"{path} isn't a git repository",
            remedy="name the root folder of a repository",
        ) from error
    with repo:
        try:
            found = repo.git.rev_parse(
                "--verify", "--quiet", f"{revision}^{{commit}}", env=_environment(repo)
            )
        except git.GitCommandNotFound as error:
            raise UnavailableError("GIT_NOT_FOUND", "git can't be started") from error
        except git.GitCommandError as error:
            none = "it has no commit yet" if revision == "HEAD" else "there is no such commit"
            why = readable(str(error.stderr).encode()) or none
            raise _unknown(path, revision, why) from error
        if not _ONE_MEANING.match(revision):
            _refuse_two_meanings(repo, revision)
    return str(found)


def _refuse_two_meanings(repo: "git.Repo", revision: str) -> None:
    """Whether ``revision`` has but one meaning: told to be quiet, git takes one without a word.

    Raises:
        ConfigurationError: ``REVISION_AMBIGUOUS``.
    """
    _, _, said = repo.git.rev_parse(
        *("--verify", f"{revision}^{{commit}}"),
        env=_environment(repo),
        with_extended_output=True,
    )
    if "is ambiguous" in said:
        raise ConfigurationError(
            "REVISION_AMBIGUOUS",
            f"{revision!r} is the name of several things in {repo.git_dir}",
            remedy="name it whole (refs/remotes/origin/main, refs/tags/v1), or by its full id",
        )


def has_uncommitted(path: Path, besides: Sequence[str] = ()) -> bool | None:
    """Whether the working copy holds what no commit has; null where that wasn't looked for.

    Comparing a file runs the filters of the repository's own configuration (gitattributes(5),
    *filter*): where that has any, nothing is compared. A file that was only touched counts.

    Args:
        path: Its root.
        besides: Untracked files that don't count, as patterns of gitignore(5).

    Raises:
        UnavailableError: ``GIT_NOT_FOUND``.
    """
    try:
        import git
    except ImportError as error:
        raise UnavailableError("GIT_NOT_FOUND", f"git can't be used: {error}") from error
    excluded = tuple(f"--exclude={pattern}" for pattern in besides)
    with git.Repo(path) as repo:
        if repo.bare:
            return None
        environment = _environment(repo)
        try:
            scopes = repo.git.config(
                *("--show-scope", "--get-regexp", r"^filter\."),
                env=environment,
                with_exceptions=False,
            )
            if any(line.startswith(("local", "worktree")) for line in scopes.splitlines()):
                return None
            return any(
                repo.git.execute(["git", *command], env=environment)
                for command in (
                    ("diff-index", "--cached", "--name-only", "--ignore-submodules=dirty", "HEAD"),
                    ("diff-files", "--name-only", "--ignore-submodules=dirty"),
                    ("ls-files", "--others", "--exclude-standard", "--directory", *excluded),
                )
            )
        except git.GitCommandError:
            return None  # no index that can be read, say: what is committed is there all the same


def _environment(repo: "git.Repo") -> dict[str, str]:
    """Pins git to this repository, whatever the caller's own environment (a hook's) says."""
    common = str(repo.common_dir)
    settings = {"GIT_CONFIG_COUNT": str(len(_SETTINGS))}
    for number, (name, value) in enumerate(_SETTINGS):
        settings[f"GIT_CONFIG_KEY_{number}"] = name
        settings[f"GIT_CONFIG_VALUE_{number}"] = value
    return {
        **settings,
        "GIT_DIR": str(repo.git_dir),
        "GIT_COMMON_DIR": common,
        "GIT_OBJECT_DIRECTORY": f"{common}/objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def _unknown(path: Path, revision: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        "REVISION_UNKNOWN", f"got {revision!r}, expected a commit of {path}: {why}"
    )
