"""Why a commit can't be had from a mirror, in words and with what helps."""

from runner.errors import RefusedError
from runner.model.shown import shown


def not_found(sha: str) -> RefusedError:
    """It is nowhere."""
    return RefusedError(
        "SHA_NOT_FOUND",
        f"the repository has no commit {shown(sha)[:80]}",
        remedy="push it first, or check that this is the right repository",
    )


def not_a_commit(sha: str, kind: str) -> RefusedError:
    """It is something else."""
    return RefusedError("SHA_NOT_A_COMMIT", f"{sha} is a {kind}, expected a commit")


def not_allowed(sha: str, allowed_branches: tuple[str, ...], default_branch: str) -> RefusedError:
    """It is there, but no branch that counts leads to it."""
    return RefusedError(
        "SHA_NOT_ON_ALLOWED_BRANCH",
        f"{sha} can't be reached from an allowed branch ({', '.join(allowed_branches)})",
        remedy=f"bring it onto {default_branch}, or allow the branch that it is on",
    )


def shallow() -> RefusedError:
    """The source doesn't have the whole history itself."""
    return RefusedError(
        "SHALLOW_REPOSITORY",
        "the repository is a shallow clone: commits that its own build on are missing",
        remedy="run `git fetch --unshallow` in it (or clone it without --depth)",
    )
