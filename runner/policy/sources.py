"""Where a job's commit may come from, and who vouches for it."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from runner.errors import RefusedError
from runner.model.catalog import Catalog, JobType, Repo
from runner.model.job import JobRequest, RepoSource
from runner.model.problem import shown
from runner.policy.params import has_invisible_characters
from runner.policy.remote_urls import (
    canonical_url,
    names_a_public_host,
    parse_url,
    without_credentials,
)

ANY_BRANCH = ("*",)
REMOTE_HEAD = "HEAD"

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """One repository, as a plan holds it.

    Attributes:
        remote_url: What is fetched: the allowlist's own spelling, or an absolute path.
        allowed_branches: Patterns of branch names; ``("*",)`` for any.
        default_branch: ``HEAD`` where no entry names one.
    """

    repo_name: str
    remote_url: str
    repo_source: RepoSource
    allowed_branches: tuple[str, ...]
    default_branch: str


def repository_of(request: JobRequest, job_type: JobType, catalog: Catalog) -> Source:
    """The repository that ``request`` names, if it may run a job of that type.

    Raises:
        RefusedError: ``REPO_UNKNOWN``, ``REMOTE_URL_MISSING``, ``REMOTE_URL_REFUSED``,
            ``REPO_URL_MISMATCH`` or ``REPO_NOT_ALLOWED_FOR_JOB``.
    """
    repo = catalog.repos.get(request.repo_name)
    if repo is None:
        return _unlisted(request, job_type, catalog)
    if request.remote_url is not None and (
        canonical_url(request.remote_url) != canonical_url(repo.url)
    ):
        raise RefusedError(
            "REPO_URL_MISMATCH",
            f"remote_url: got {without_credentials(request.remote_url)}, expected the URL of "
            f"{repo.name!r}: {without_credentials(repo.url)}",
        )
    _takes_that_job_type(repo, job_type)
    # The allowlist's own spelling is what is fetched; the caller's was only compared.
    return Source(
        repo.name, repo.url, RepoSource.ALLOWLIST, repo.allowed_branches, repo.default_branch
    )


def _takes_that_job_type(repo: Repo, job_type: JobType) -> None:
    if repo.jobs is not None and job_type.name not in repo.jobs:
        raise RefusedError(
            "REPO_NOT_ALLOWED_FOR_JOB",
            f"repo_name: {repo.name!r} doesn't take {job_type.name!r}, expected one of: "
            + (", ".join(repo.jobs) or "none"),
            remedy="add the job type to the repository's entry",
        )


def _unlisted(request: JobRequest, job_type: JobType, catalog: Catalog) -> Source:
    if job_type.requires_repo_allowlist:
        known = ", ".join(sorted(catalog.repos)) or "none"
        raise RefusedError(
            "REPO_UNKNOWN",
            f"repo_name: got {request.repo_name!r}, expected one of: {known}",
            remedy="add it to the repository allowlist",
        )
    if request.remote_url is None:
        raise RefusedError(
            "REMOTE_URL_MISSING",
            f"remote_url: missing, and {request.repo_name!r} isn't in the repository allowlist",
        )
    remote = parse_url(request.remote_url)
    # Else a made-up name would lift the limits of a listed repository: its branches, its jobs.
    # More is taken for the same here than elsewhere, since forges differ in what they tell apart.
    for repo in catalog.repos.values():
        if parse_url(repo.url).looks_like(remote):
            raise RefusedError(
                "REPO_URL_MISMATCH",
                f"repo_name: got {request.repo_name!r}, but that URL is {repo.name!r}",
            )
    if not names_a_public_host(remote):
        raise RefusedError(
            "REMOTE_URL_REFUSED",
            f"remote_url: got {without_credentials(request.remote_url)}: only the repository "
            "allowlist may name an address or a host of the local network",
        )
    return Source(
        request.repo_name, request.remote_url, RepoSource.UNLISTED, ANY_BRANCH, REMOTE_HEAD
    )


def operators_own(request: JobRequest, path: str) -> Source:
    """The repository at ``path``, which the operator's own command line named.

    Raises:
        RefusedError: ``REPO_PATH_REFUSED``, or ``REPO_URL_MISMATCH`` if a URL is named as well.
    """
    if request.remote_url is not None:
        raise RefusedError(
            "REPO_URL_MISMATCH",
            f"remote_url: got {without_credentials(request.remote_url)}, expected none beside a "
            "repository given by its path",
        )
    if (
        not path.startswith("/")
        or len(path) > 4096
        or ".." in path.split("/")
        or has_invisible_characters(path)
    ):
        raise RefusedError(
            "REPO_PATH_REFUSED",
            f"repository path: got {shown(path)}, expected an absolute path without '..' and "
            "without control characters",
        )
    return Source(name_of_path(path), path, RepoSource.OPERATOR_PATH, ANY_BRANCH, REMOTE_HEAD)


def name_of_path(path: str) -> str:
    """The name that a repository given by ``path`` has in records: its folder's, made safe."""
    folder = _NOT_IN_A_NAME.sub("-", PurePosixPath(path).name)[:100].strip("._-")
    return folder or "repository"
