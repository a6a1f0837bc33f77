"""Whether a request may become a job: the only way to a ``JobPlan``.

Pure: everything is resolved and nothing is touched. Whether the commit exists and is on an
allowed branch is asked of the mirror, when the job is executed.
"""

import re
from datetime import datetime

from runner.errors import BugError, RefusedError
from runner.model.canonical import canonical_sha256
from runner.model.catalog import Catalog, JobType
from runner.model.ids import NAME_PATTERN
from runner.model.job import JobPlan, JobRequest, RepoSource
from runner.model.problem import shown
from runner.policy.params import check_params, is_full_sha
from runner.policy.sources import operators_own, repository_of

WRAPPERS_PREFIX = "wrappers/"

_NAME = re.compile(NAME_PATTERN.removesuffix("$"), re.ASCII)
_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)


def admit(
    request: JobRequest,
    catalog: Catalog,
    *,
    job_id: str,
    now: datetime,
    trace_id: str,
    local_path: str | None = None,
) -> JobPlan:
    """The plan of the job that ``request`` asks for, fully resolved.

    ``local_path`` is a repository that the operator named on their own command line by its
    absolute path; nothing in a request can stand in for it, and ``request.repo_name`` is then
    replaced by the folder's name.

    The order of the checks is part of the contract, the first that fails is the answer:
    names, job type, approval, repository and URL, job type of that repository, sha, params,
    timeout, idempotency key.

    Raises:
        RefusedError: ``NAME_MALFORMED``, ``JOB_TYPE_UNKNOWN``, ``APPROVAL_UNAVAILABLE``,
            ``REPO_PATH_REFUSED``, ``REPO_UNKNOWN``, ``REMOTE_URL_MISSING``,
            ``REMOTE_URL_REFUSED``, ``REPO_URL_MISMATCH``, ``REPO_NOT_ALLOWED_FOR_JOB``,
            ``SHA_MALFORMED``, ``PARAM_UNKNOWN``, ``PARAM_MISSING``, ``PARAM_INVALID``,
            ``TIMEOUT_TOO_LONG``, ``IDEMPOTENCY_KEY_MALFORMED``.
    """
    _name_is_well_formed("job_type", request.job_type)
    if local_path is None:
        _name_is_well_formed("repo_name", request.repo_name)
    job_type = _is_a_known_job_type(request, catalog)
    _needs_no_approval(job_type)
    if local_path is None:
        source = repository_of(request, job_type, catalog)
    else:
        source = operators_own(request, local_path)
    sha = _is_a_full_commit_id(request.sha)
    params = check_params(job_type.allowed_params, request.params)
    return JobPlan(
        job_id=job_id,
        # What is read back from plan.json has milliseconds: the same plan must compare equal.
        created_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        job_type=job_type.name,
        repo_name=source.repo_name,
        remote_url=source.remote_url,
        repo_source=source.repo_source,
        allowed_branches=source.allowed_branches,
        default_branch=source.default_branch,
        sha=sha,
        params=params,
        argv=job_type.argv,
        env=_environment(job_id, job_type, source.repo_name, sha, params),
        timeout_s=_is_no_longer_than_allowed(request.timeout_s, job_type),
        network=job_type.network,
        limits=job_type.limits,
        retries=job_type.retries,
        toolchains=job_type.toolchains,
        needs_python=job_type.needs_python,
        needs_metadata_writes=job_type.needs_metadata_writes,
        wrapper_sha256=_wrapper_sha256(job_type, catalog),
        wrappers_hash=catalog.wrappers_hash,
        allowlist_hash=catalog.allowlist_hash,
        input_hash=canonical_sha256(
            {
                "job_type": job_type.name,
                "params": params,
                "repository": source.remote_url,
                "sha": sha,
            }
        ),
        idempotency_key=_is_a_plain_key(request.idempotency_key),
        priority=request.priority,
        trace_id=trace_id,
    )


def still_admitted(plan: JobPlan, catalog: Catalog) -> None:
    """Returns if ``catalog`` would give exactly ``plan`` now: what was admitted runs, or nothing.

    Raises:
        RefusedError: ``ALLOWLIST_CHANGED``: an allowlist or a wrapper is no longer what it was,
            or another plan, or none, would be made.
    """
    remedy = "submit it again"
    for what, then, today in (
        ("the allowlists", plan.allowlist_hash, catalog.allowlist_hash),
        ("the wrappers", plan.wrappers_hash, catalog.wrappers_hash),
    ):
        if then != today:
            message = f"{what} changed since admission: hash {then[:12]}… then, {today[:12]}… now"
            raise RefusedError("ALLOWLIST_CHANGED", message, remedy=remedy)
    by_path = plan.repo_source is RepoSource.OPERATOR_PATH
    request = JobRequest(
        job_type=plan.job_type,
        repo_name=plan.repo_name,
        remote_url=None if by_path else plan.remote_url,
        sha=plan.sha,
        params=dict(plan.params),
        idempotency_key=plan.idempotency_key,
        priority=plan.priority,
        timeout_s=plan.timeout_s,
    )
    try:
        again = admit(
            request,
            catalog,
            job_id=plan.job_id,
            now=plan.created_at,
            trace_id=plan.trace_id,
            local_path=plan.remote_url if by_path else None,
        )
    except RefusedError as error:
        message = f"it wouldn't be admitted now: {error}"
        raise RefusedError("ALLOWLIST_CHANGED", message, remedy=remedy) from error
    if again != plan:
        differing = [name for name in JobPlan.model_fields if _differs(again, plan, name)]
        message = f"another plan would be made now; it differs in: {', '.join(differing)}"
        raise RefusedError("ALLOWLIST_CHANGED", message, remedy=remedy)


def _differs(one: JobPlan, other: JobPlan, field: str) -> bool:
    return bool(getattr(one, field) != getattr(other, field))


def _name_is_well_formed(field: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise RefusedError(
            "NAME_MALFORMED",
            f"{field}: got {shown(name)}, expected 1 to 100 letters, digits, '.', '_' or '-', "
            "beginning and ending with a letter or digit",
        )


def _is_a_known_job_type(request: JobRequest, catalog: Catalog) -> JobType:
    job_type = catalog.job_types.get(request.job_type)
    if job_type is None:
        known = ", ".join(sorted(catalog.job_types)) or "none"
        raise RefusedError(
            "JOB_TYPE_UNKNOWN",
            f"job_type: got {request.job_type!r}, expected one of: {known}",
            remedy="add it to the job allowlist",
        )
    return job_type


def _needs_no_approval(job_type: JobType) -> None:
    if job_type.requires_approval:
        raise RefusedError(
            "APPROVAL_UNAVAILABLE",
            f"job_type: {job_type.name!r} requires an approval, which can't be given yet",
        )


def _is_a_full_commit_id(sha: str) -> str:
    if not is_full_sha(sha):
        raise RefusedError(
            "SHA_MALFORMED",
            f"sha: got {shown(sha)}, expected a full commit id: 40 or 64 lower-case hex digits",
            remedy="resolve the branch, tag or revision first: git rev-parse REV^{commit}",
        )
    return sha


def _is_no_longer_than_allowed(asked_s: int | None, job_type: JobType) -> int:
    if asked_s is None:
        return job_type.timeout_s
    if asked_s > job_type.timeout_s:
        raise RefusedError(
            "TIMEOUT_TOO_LONG",
            f"timeout_s: got {asked_s}, expected at most {job_type.timeout_s}, "
            f"the limit of {job_type.name!r}",
        )
    return asked_s


def _is_a_plain_key(key: str | None) -> str | None:
    if key is not None and not _KEY.fullmatch(key):
        raise RefusedError(
            "IDEMPOTENCY_KEY_MALFORMED",
            f"idempotency_key: got {shown(key)}, expected 1 to 200 visible ASCII characters",
        )
    return key


def _wrapper_sha256(job_type: JobType, catalog: Catalog) -> str | None:
    for element in job_type.argv:
        if element.startswith(WRAPPERS_PREFIX):
            digest = catalog.wrappers.get(element.removeprefix(WRAPPERS_PREFIX))
            if digest is None:
                raise BugError("WRAPPER_UNKNOWN", f"{element!r} passed loading, but has no hash")
            return digest
    return None


def _environment(
    job_id: str, job_type: JobType, repo_name: str, sha: str, params: dict[str, str]
) -> tuple[tuple[str, str], ...]:
    given = job_type.env | {name.upper(): value for name, value in params.items()}
    ours = {
        "AIOPS_JOB_ID": job_id,
        "AIOPS_JOB_TYPE": job_type.name,
        "AIOPS_REPO": repo_name,
        "AIOPS_SHA": sha,
        "CI": "true",
    }
    return tuple(sorted((given | ours).items()))
