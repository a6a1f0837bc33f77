"""Whether the params of a request are what its job type allows."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date

from runner.errors import RefusedError
from runner.model.catalog import (
    DateParam,
    EnumParam,
    IntParam,
    ParamSpec,
    PatternParam,
    ShaParam,
)
from runner.model.problem import shown

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# 18 digits: within 64 bits for whoever reads the variable, and never slow to convert.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
# Control, format (bidirectional marks among them), surrogate, private and unassigned characters,
# line and paragraph separators: a value is one line of text that looks like what it is.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_full_sha(text: str) -> bool:
    """Whether ``text`` is a full object id: 40 or 64 lower-case hex digits and nothing else."""
    return _SHA.fullmatch(text) is not None


def has_invisible_characters(text: str) -> bool:
    """Whether ``text`` holds anything that isn't a visible character or a plain space."""
    return any(unicodedata.category(character) in _INVISIBLE for character in text)


def check_params(specs: Mapping[str, ParamSpec], given: Mapping[str, str | int]) -> dict[str, str]:
    """The params as the text that the job will find in its environment, sorted by name.

    A value matches in full or not at all. Whatever a pattern says, text is one line without
    control characters, and doesn't begin with ``-``: a script that forgets a quote or a ``--``
    must not be steered by it.

    Raises:
        RefusedError: ``PARAM_UNKNOWN``, ``PARAM_MISSING`` or ``PARAM_INVALID``, naming the param.
    """
    for name in sorted(given):
        if name not in specs:
            allowed = ", ".join(sorted(specs)) or "none"
            raise RefusedError(
                "PARAM_UNKNOWN", f"params: got {shown(name)}, expected one of: {allowed}"
            )
    for name in sorted(specs):
        if specs[name].required and name not in given:
            raise RefusedError("PARAM_MISSING", f"params.{name}: missing, and it is required")
    checked: dict[str, str] = {}
    for name in sorted(given):
        text, expected = _check(specs[name], given[name])
        if text is None:
            raise RefusedError(
                "PARAM_INVALID", f"params.{name}: got {shown(given[name])}, expected {expected}"
            )
        checked[name] = text
    return checked


def _check(spec: ParamSpec, value: str | int) -> tuple[str | None, str]:
    """The accepted text (null if refused), and what was expected."""
    match spec:
        case IntParam():
            return _integer(spec, value)
        case ShaParam():
            expected = "a full commit id: 40 or 64 lower-case hex digits"
            accepted = isinstance(value, str) and is_full_sha(value)
        case DateParam():
            expected = "a calendar day, YYYY-MM-DD"
            accepted = isinstance(value, str) and _is_day(value)
        case EnumParam():
            expected = "one of: " + ", ".join(spec.values)
            accepted = value in spec.values
        case PatternParam():
            expected = (
                f"one line of at most {spec.max_length} visible characters that matches "
                f"{spec.pattern!r} in full and doesn't begin with '-'"
            )
            accepted = isinstance(value, str) and _matches(spec, value)
    return (str(value) if accepted else None), expected


def _integer(spec: IntParam, value: str | int) -> tuple[str | None, str]:
    expected = f"an integer from {spec.min} to {spec.max}"
    # True is an int to Python, and not one to a person.
    if isinstance(value, bool) or not _INTEGER.fullmatch(_decimal(value)):
        return None, expected
    number = int(value)
    return (str(number) if spec.min <= number <= spec.max else None), expected


def _decimal(value: str | int) -> str:
    if isinstance(value, str):
        return value
    # Converting a huge integer to text takes quadratic time, and Python refuses it from 4,300
    # digits on: look at its size first.
    return str(value) if value.bit_length() < 64 else ""


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _matches(spec: PatternParam, text: str) -> bool:
    if len(text) > spec.max_length or text.startswith("-") or has_invisible_characters(text):
        return False
    return re.fullmatch(spec.pattern, text, re.ASCII) is not None
