"""The entries of the allowlists as nouns, and everything that is wrong with their form."""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from runner.adapters.allowlists.document import Document
from runner.adapters.allowlists.sizes import size_bytes
from runner.model.base import Noun
from runner.model.catalog import (
    DateParam,
    EnumParam,
    IntParam,
    JobType,
    Limits,
    PatternParam,
    Repo,
    ShaParam,
)
from runner.model.ids import Name
from runner.model.problem import Problem, shown

FORMAT_VERSION = 1

_NAME: TypeAdapter[str] = TypeAdapter(Name)
_SPEC_BY_TYPE: dict[str, type[Noun]] = {
    "sha": ShaParam,
    "date": DateParam,
    "enum": EnumParam,
    "int": IntParam,
    "pattern": PatternParam,
}


def job_types_of(document: Document) -> tuple[dict[str, JobType], list[Problem]]:
    """The job types that are well-formed, and what is wrong with the others."""
    problems: list[Problem] = []
    entries: dict[str, JobType] = {}
    for name, raw_entry in _entries(document, "jobs", problems):
        entry, wrong_sizes = _with_sizes_in_bytes(name, raw_entry)
        if wrong_sizes:
            problems += wrong_sizes
            continue
        try:
            entries[name] = JobType.model_validate_json(json.dumps({**entry, "name": name}))
        except ValidationError as error:
            problems += [_problem(("jobs", name), entry, detail) for detail in error.errors()]
    return entries, problems


def repos_of(document: Document) -> tuple[dict[str, Repo], list[Problem]]:
    """The repositories that are well-formed, and what is wrong with the others."""
    problems: list[Problem] = []
    entries: dict[str, Repo] = {}
    for name, entry in _entries(document, "repos", problems):
        try:
            entries[name] = Repo.model_validate_json(json.dumps({**entry, "name": name}))
        except ValidationError as error:
            problems += [_problem(("repos", name), entry, detail) for detail in error.errors()]
    return entries, problems


def _entries(
    document: Document, section: str, problems: list[Problem]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of each entry that is a mapping with a good name, at any rate."""
    content = document.content
    known = ("version", section)
    problems.extend(Problem((key,), _unknown(key, known)) for key in content if key not in known)
    version = content.get("version")
    if "version" not in content:
        problems.append(Problem(("version",), f"missing, expected {FORMAT_VERSION}"))
    elif version is True or version != FORMAT_VERSION:
        problems.append(Problem(("version",), f"got {shown(version)}, expected {FORMAT_VERSION}"))
    if section not in content:
        problems.append(Problem((section,), "missing, expected a mapping of names to entries"))
        return
    entries = content[section]
    if not isinstance(entries, dict):
        message = f"got {_named(entries)}, expected a mapping of names to entries"
        problems.append(Problem((section,), message))
        return
    for name, entry in entries.items():
        try:
            _NAME.validate_python(name)
        except ValidationError:
            message = (
                "got a name that isn't 1 to 100 letters, digits, '.', '_' or '-', "
                "beginning and ending with a letter or digit"
            )
            problems.append(Problem((section, name), message))
            continue
        if not isinstance(entry, dict):
            problems.append(Problem((section, name), f"got {_named(entry)}, expected a mapping"))
        elif "name" in entry:
            message = "unknown key: an entry's name is the key that it stands under"
            problems.append(Problem((section, name, "name"), message))
        else:
            yield name, entry


def _with_sizes_in_bytes(name: str, entry: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """``entry`` with each limit such as ``512MiB`` as a number, and those that can't be one."""
    problems: list[Problem] = []
    raw_limits = entry.get("limits")
    if not isinstance(raw_limits, dict):
        return entry, problems
    limits = dict(raw_limits)
    for key, value in raw_limits.items():
        if key.endswith("_bytes") and key in Limits.model_fields and isinstance(value, str):
            limits[key] = size_bytes(value)
            if limits[key] is None:
                message = f"got {shown(value)}, expected bytes, or a size such as '512MiB'"
                problems.append(Problem(("jobs", name, "limits", key), message))
    return entry | {"limits": limits}, problems


def _problem(at: tuple[str, str], entry: Mapping[str, Any], detail: ErrorDetails) -> Problem:
    """What pydantic found, at the keys of the file and in words that say what to do."""
    path = list(detail["loc"])
    # In a tagged union pydantic puts the tag behind the key: it is no key of the file.
    if path[:1] == ["allowed_params"] and len(path) > 2:
        del path[2]
    where = (*at, *path)
    if where == (*at, "name"):
        where = at
    got = _named(detail["input"])
    match detail["type"]:
        case "missing":
            return Problem(where, "missing, and it is required")
        case "extra_forbidden":
            return Problem(where, _unknown(str(path[-1]), _known_keys(at[0], path, entry)))
        case "union_tag_not_found":
            return Problem((*where, "type"), f"missing, expected one of: {_kinds()}")
        case "union_tag_invalid":
            tag = detail.get("ctx", {}).get("tag")
            return Problem((*where, "type"), f"got {shown(tag)}, expected one of: {_kinds()}")
        case "value_error":
            return Problem(where, str(detail["ctx"]["error"]))
        case "string_pattern_mismatch":
            return Problem(where, f"got {got}, expected a name: letters, digits, '.', '_', '-'")
        case "too_short":
            return Problem(where, "empty, expected at least one element")
        case _:
            expected = detail["msg"].removeprefix("Input should be ")
            return Problem(where, f"got {got}, expected {expected}")


def _known_keys(section: str, path: list[int | str], entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys that are known at the place where an unknown one stands."""
    fields: Mapping[str, object] = (JobType if section == "jobs" else Repo).model_fields
    if path[0] == "limits" and len(path) > 1:
        fields = Limits.model_fields
    elif path[0] == "allowed_params" and len(path) > 1:
        fields = _SPEC_BY_TYPE[entry["allowed_params"][path[1]]["type"]].model_fields
    return tuple(name for name in fields if name != "name")


def _unknown(key: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(key, known, n=1)
    if close:
        return f"unknown key, did you mean {close[0]!r}?"
    return f"unknown key, expected one of: {', '.join(known)}"


def _kinds() -> str:
    return ", ".join(sorted(_SPEC_BY_TYPE))


def _named(value: object) -> str:
    """What ``value`` is, in a word for who writes YAML."""
    return "nothing" if value is None else shown(value)
