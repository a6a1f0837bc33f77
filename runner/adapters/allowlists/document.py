"""What a YAML file of the operator's says, read strictly, and on which line it says it.

The part of YAML that everybody reads the same: mappings, sequences and scalars, in one document.
Anchors, aliases, merge keys and tags are refused, and so are keys that stand twice (YAML 1.2.2,
3.2.1.3 *Node Comparison*, forbids them; PyYAML lets the last one win). A plain scalar is a boolean,
null or integer only in the JSON schema's spelling (YAML 1.2.2, 10.2): ``no``, ``0777``, ``1:30``
and dates are text, where YAML 1.1 makes other things of them.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from runner.errors import ConfigurationError
from runner.model.problem import Problem

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 32
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Document:
    """A file's exact bytes, what they say, and the line of each key and element."""

    file: Path
    raw: bytes
    content: dict[str, object]
    lines: dict[tuple[str | int, ...], int]

    def describe(self, problem: Problem) -> str:
        """``FILE:LINE: key 'a.b': what is wrong``. A key that is missing has its parent's line."""
        path = problem.path
        while path and path not in self.lines:
            path = path[:-1]
        line = problem.line or self.lines.get(path, 1)
        key = f"key {_dotted(problem.path)!r}: " if problem.path else ""
        return f"{self.file}:{line}: {key}{problem.message}"


def _dotted(path: tuple[str | int, ...]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_document(file: Path) -> Document:
    """Reads ``file`` once.

    Raises:
        ConfigurationError: ``CONFIG_MISSING``, ``CONFIG_UNREADABLE``, or ``CONFIG_INVALID`` with
            everything that is wrong with its form, one line each.
    """
    return parse_document(file, read_bytes(file))


def parse_document(file: Path, raw: bytes) -> Document:
    """What ``raw``, the content of ``file``, says. Opens nothing.

    Raises:
        ConfigurationError: ``CONFIG_INVALID`` with everything that is wrong, one line each.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _invalid([f"{file}:{line}: got a byte that isn't UTF-8"]) from error
    try:
        refused = [f"{file}:{line}: {what}" for line, what in _refused_features(text)]
        if refused:
            raise _invalid(refused)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _invalid([f"{file}:{_line_of(error, text)}: not YAML: {_what(error)}"]) from error
    if node is None:
        raise _invalid([f"{file}:1: the file is empty, expected a mapping"])
    lines: dict[tuple[str | int, ...], int] = {}
    problems: list[Problem] = []
    content = _value(node, (), lines, problems)
    if not isinstance(content, dict):
        raise _invalid([f"{file}:{node.start_mark.line + 1}: got no mapping, expected one"])
    document = Document(file, raw, content, lines)
    if problems:
        raise _invalid([document.describe(problem) for problem in problems])
    return document


def _line_of(error: yaml.YAMLError, text: str) -> int:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    if mark is not None:
        return mark.line + 1
    return text.count("\n", 0, getattr(error, "position", 0)) + 1


def _what(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem:
        return str(error.problem)
    return "it holds a character that YAML doesn't allow"


def _invalid(problems: list[str]) -> ConfigurationError:
    return ConfigurationError("CONFIG_INVALID", "\n".join(problems))


def read_bytes(file: Path) -> bytes:
    """The exact bytes of ``file``.

    Raises:
        ConfigurationError: ``CONFIG_MISSING``, ``CONFIG_UNREADABLE``, ``CONFIG_INVALID``: it is
            larger than any such file.
    """
    try:
        # Non-blocking: opening a FIFO would otherwise wait for a writer (fifo(7)).
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise ConfigurationError("CONFIG_UNREADABLE", f"{file}: not a regular file")
            raw = opened.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigurationError(
            "CONFIG_MISSING",
            f"{file}: there is no such file",
            remedy="create it, or name another folder in AIOPS_CONFIG_DIR",
        ) from error
    except OSError as error:
        raise ConfigurationError("CONFIG_UNREADABLE", f"{file}: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise ConfigurationError("CONFIG_INVALID", f"{file}: larger than {MAX_BYTES} bytes")
    return raw


def _refused_features(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of each feature that isn't accepted. Reads events: nothing is expanded."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            yield line, "aliases ('*name') are not accepted: write it out"
        elif getattr(event, "anchor", None):
            yield line, "anchors ('&name') are not accepted: write it out"
        if getattr(event, "tag", None):
            yield line, "tags ('!name') are not accepted"
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                yield line, "a second document begins, expected one"
                return
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                yield line, f"nested more than {_MAX_DEPTH} levels deep"
                return
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _value(
    node: yaml.Node,
    path: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
    problems: list[Problem],
) -> object:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*path, n), lines, problems) for n, child in enumerate(node.value)]
    content: dict[str, object] = {}
    for key, child in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(path, "a key below it is no plain text", line))
            continue
        at = (*path, key.value)
        if key.value == "<<" and key.style is None:
            problems.append(Problem(at, "merge keys are not accepted: write it out", line))
        elif key.value in content:
            problems.append(Problem(at, f"stands twice, first on line {lines[at]}", line))
        else:
            lines[at] = line
            content[key.value] = _value(child, at, lines, problems)
    return content


def _scalar(node: yaml.ScalarNode) -> str | int | bool | None:
    text = str(node.value)
    if node.style is not None:  # quoted, or a block: text, whatever it looks like
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
