"""What is allowed: two files and a folder become one catalog, pinned by hash."""

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from runner.adapters.allowlists.document import Document, parse_document, read_bytes
from runner.adapters.allowlists.entries import job_types_of, repos_of
from runner.adapters.allowlists.wrappers import read_wrappers
from runner.errors import ConfigurationError
from runner.model.canonical import canonical_sha256
from runner.model.catalog import Catalog
from runner.policy.catalog_rules import job_problems, repo_problems

JOB_ALLOWLIST: Final = "job_allowlist.yaml"
REPO_ALLOWLIST: Final = "repo_allowlist.yaml"


def load_catalog(*, config_dir: Path, wrappers_dir: Path, hidden: Iterable[Path]) -> Catalog:
    """What is allowed: both allowlists, each read once, and the wrappers, all pinned by hash.

    Args:
        config_dir: Where the allowlists lie.
        wrappers_dir: Where the wrappers lie.
        hidden: Folders that no job type may have mounted, nor what is in them or around them.

    Raises:
        ConfigurationError: ``CONFIG_MISSING``, ``CONFIG_UNREADABLE``, ``WRAPPERS_INVALID``, or
            ``CONFIG_INVALID`` with everything that is wrong, one line each.
    """
    jobs, repos = config_dir / JOB_ALLOWLIST, config_dir / REPO_ALLOWLIST
    jobs_raw, repos_raw = read_bytes(jobs), read_bytes(repos)
    wrappers = read_wrappers(wrappers_dir)
    return _catalog_of(
        (jobs, jobs_raw),
        (repos, repos_raw),
        tuple(wrappers.sha256.items()),
        wrappers.executable,
        tuple(str(folder) for folder in hidden),
    )


# Parsing takes longer than a whole job otherwise. Everything that the answer depends on is an
# argument, the files' exact bytes among them, which are read and compared at every call.
@functools.lru_cache(maxsize=4)
def _catalog_of(
    jobs_file: tuple[Path, bytes],
    repos_file: tuple[Path, bytes],
    wrappers: tuple[tuple[str, str], ...],
    executable: frozenset[str],
    hidden: tuple[str, ...],
) -> Catalog:
    jobs, repos = parse_document(*jobs_file), parse_document(*repos_file)
    job_types, wrong_jobs = job_types_of(jobs)
    listed, wrong_repos = repos_of(repos)
    wrong_jobs += job_problems(
        job_types, wrappers=dict(wrappers), executable=executable, hidden=hidden
    )
    # A job type with a mistake in it is still one that exists.
    named = jobs.content.get("jobs")
    wrong_repos += repo_problems(listed, job_types=named if isinstance(named, dict) else ())
    if wrong_jobs or wrong_repos:
        lines = [jobs.describe(problem) for problem in wrong_jobs]
        lines += [repos.describe(problem) for problem in wrong_repos]
        raise ConfigurationError("CONFIG_INVALID", "\n".join(lines))
    return Catalog(
        job_types=job_types,
        repos=listed,
        allowlist_hash=_hash_of(jobs, repos),
        wrappers=dict(wrappers),
        wrappers_hash=canonical_sha256(dict(wrappers)),
    )


def _hash_of(*documents: Document) -> str:
    """The hash of the exact bytes of several files: of the canonical JSON of names to hashes."""
    return canonical_sha256(
        {document.file.name: hashlib.sha256(document.raw).hexdigest() for document in documents}
    )
