"""What is wrong with the two allowlists beyond the form of each single entry."""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

from runner.errors import RefusedError
from runner.model.catalog import EnumParam, IntParam, JobType, PatternParam, Repo
from runner.model.problem import Problem, shown
from runner.policy.admission import WRAPPERS_PREFIX
from runner.policy.params import has_invisible_characters
from runner.policy.remote_urls import canonical_url

# Of git-check-ref-format(1): what no branch name contains, the wildcards left out. A name that
# begins with "-" would be read as an option.
_NOT_A_BRANCH: Final = re.compile(
    r"^-|^/|^$|/$|\.$|//|\.\.|@\{|^@$|[\x00-\x20\x7f~^:\\]|(^|/)\.|\.lock(/|$)"
)
_WILDCARD: Final = re.compile(r"[*?\[\]]")
# Of these the kernel or the running host makes the content: no toolchain, but a way to look out.
_LIVE_FOLDERS: Final = ("/proc", "/sys", "/dev", "/run", "/var/run")


def job_problems(
    job_types: Mapping[str, JobType],
    *,
    wrappers: Mapping[str, str],
    executable: frozenset[str],
    hidden: Iterable[str] = (),
) -> Iterator[Problem]:
    """What is wrong with the job types, with the keys that lead to it.

    ``wrappers`` are the files of the wrappers folder by relative path, ``executable`` those with
    an execute bit, ``hidden`` the absolute folders that no job may see.
    """
    for name, job_type in job_types.items():
        at = ("jobs", name)
        for index, element in enumerate(job_type.argv):
            if element.startswith(WRAPPERS_PREFIX):
                yield from _wrapper_problems(
                    (*at, "argv", index), index, element, wrappers, executable
                )
        yield from _variable_problems(at, job_type)
        yield from _param_problems(at, job_type)
        for index, folder in enumerate(job_type.toolchains):
            for off_limits in (*_LIVE_FOLDERS, *hidden):
                if _overlap(folder, off_limits):
                    message = f"got {shown(folder)}, which would show jobs {off_limits}"
                    yield Problem((*at, "toolchains", index), message)


def repo_problems(repos: Mapping[str, Repo], *, job_types: Iterable[str]) -> Iterator[Problem]:
    """What is wrong with the repositories, with the keys that lead to it."""
    known = frozenset(job_types)
    seen: dict[str, str] = {}
    for name, repo in repos.items():
        at = ("repos", name)
        try:
            identity = canonical_url(repo.url)
        except RefusedError as error:
            yield Problem((*at, "url"), str(error.args[0]).removeprefix("remote_url: "))
        else:
            first = seen.setdefault(identity, name)
            if first != name:
                yield Problem((*at, "url"), f"the same repository as {first!r}: {identity}")
        yield from _branch_problems(at, repo)
        for index, job_name in enumerate(repo.jobs or ()):
            if job_name not in known:
                message = f"got {job_name!r}, expected the name of a job type that exists"
                yield Problem((*at, "jobs", index), message)


def _wrapper_problems(
    at: tuple[str | int, ...],
    index: int,
    element: str,
    wrappers: Mapping[str, str],
    executable: frozenset[str],
) -> Iterator[Problem]:
    file = element.removeprefix(WRAPPERS_PREFIX)
    if file not in wrappers:
        yield Problem(at, f"got {shown(element)}, but the wrappers folder has no such file")
    elif index == 0 and file not in executable:
        yield Problem(at, f"got {shown(element)}, which isn't executable (chmod +x)")


def _variable_problems(at: tuple[str, str], job_type: JobType) -> Iterator[Problem]:
    for name, value in job_type.env.items():
        if "\0" in value:
            yield Problem((*at, "env", name), "the value holds a NUL byte")
    origin = dict.fromkeys(job_type.env, "env")
    for name in job_type.allowed_params:
        if name.upper() in origin:
            message = f"its variable {name.upper()!r} is set by {origin[name.upper()]} already"
            yield Problem((*at, "allowed_params", name), message)
        origin[name.upper()] = f"param {name!r}"


def _param_problems(at: tuple[str, str], job_type: JobType) -> Iterator[Problem]:
    for name, spec in job_type.allowed_params.items():
        if isinstance(spec, EnumParam):
            for index, value in enumerate(spec.values):
                if has_invisible_characters(value):
                    message = f"got {shown(value)}, expected one line of visible characters"
                    yield Problem((*at, "allowed_params", name, "values", index), message)
        elif isinstance(spec, PatternParam) and not _works_on_ascii(spec.pattern):
            message = f"got {shown(spec.pattern)}, which asks for other letters than ASCII's"
            yield Problem((*at, "allowed_params", name, "pattern"), message)
        elif isinstance(spec, IntParam) and max(abs(spec.min), abs(spec.max)) >= 10**18:
            message = "got a bound of more than 18 digits, which nobody could reach"
            yield Problem((*at, "allowed_params", name), message)


def _works_on_ascii(pattern: str) -> bool:
    """Whether the flag with which params are matched fits the pattern's own, such as (?u)."""
    try:
        re.compile(pattern, re.ASCII)
    except ValueError:
        return False
    return True


def _branch_problems(at: tuple[str, str], repo: Repo) -> Iterator[Problem]:
    for index, pattern in enumerate(repo.allowed_branches):
        if _NOT_A_BRANCH.search(pattern):
            message = f"got {shown(pattern)}, expected a branch name or a pattern of them"
            yield Problem((*at, "allowed_branches", index), message)
    default = repo.default_branch
    if _NOT_A_BRANCH.search(default) or _WILDCARD.search(default):
        yield Problem((*at, "default_branch"), f"got {shown(default)}, expected a branch name")
    elif not any(fnmatchcase(default, pattern) for pattern in repo.allowed_branches):
        allowed = ", ".join(repo.allowed_branches)
        message = f"got {default!r}, expected a branch that allowed_branches allows: {allowed}"
        yield Problem((*at, "default_branch"), message)


def _overlap(one: str, other: str) -> bool:
    """Whether one of two absolute paths is, or lies below, the other."""
    first, second = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return first.startswith(second) or second.startswith(first)
