"""What a person typed about a job → a request, with every name resolved and shown."""

from pathlib import Path
from typing import NamedTuple

from runner.bootstrap import Runner
from runner.errors import ConfigurationError
from runner.model.catalog import Repo
from runner.model.job import JobRequest


class Asked(NamedTuple):
    """A request, and the repository's folder if the operator named one by its path."""

    request: JobRequest
    local_path: str | None
    shown: str


def request_for(
    runner: Runner,
    job_type: str,
    repo: str,
    revision: str,
    params: list[str],
    *,
    timeout_s: int | None,
    idempotency_key: str | None = None,
) -> Asked:
    """The request for a job, with ``revision`` resolved to a commit.

    ``repo`` is a name of the repository allowlist, or a path: something with a slash in it, or
    ``.``. A path is the operator's own word for it and is recorded as that.

    Raises:
        ConfigurationError: the repository, the revision or a parameter can't be understood.
    """
    given: dict[str, str | int] = dict(_pair(param) for param in params)
    if _looks_like_path(repo):
        folder, sha = _resolve_local(repo, revision)
        name, local_path = folder.name or "root", str(folder)
    else:
        entry = runner.catalog.repos.get(repo)
        if entry is None:
            known = ", ".join(sorted(runner.catalog.repos)) or "none"
            raise ConfigurationError(
                "REPO_UNKNOWN",
                f"got the repository {repo!r}, expected a name of the allowlist ({known}) or a "
                "path with a slash in it",
            )
        sha, name, local_path = _resolve_remote(runner, entry, revision), repo, None
    request = JobRequest(
        job_type=job_type,
        repo_name=name,
        sha=sha,
        params=given,
        timeout_s=timeout_s,
        idempotency_key=idempotency_key,
    )
    return Asked(request, local_path, f"{job_type} on {repo} at {revision} = {sha}")


def _looks_like_path(repo: str) -> bool:
    return repo in (".", "..") or "/" in repo


def _pair(param: str) -> tuple[str, str]:
    key, equals, value = param.partition("=")
    if not equals or not key:
        raise ConfigurationError("USAGE", f"got --param {param!r}, expected KEY=VALUE")
    return key, value


def _resolve_local(repo: str, revision: str) -> tuple[Path, str]:
    from runner.adapters.git.workcopy import resolve_revision, top_level

    folder = top_level(Path(repo))
    return folder, resolve_revision(folder, revision)


def _resolve_remote(runner: Runner, entry: Repo, revision: str) -> str:
    name = entry.default_branch if revision == "HEAD" else revision
    return runner.mirrors.resolve(entry.url, name)
