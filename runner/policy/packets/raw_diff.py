"""What ``git diff-tree -r -z --raw`` says, and what kind of change each entry is.

Source: git-diff-tree(1), *Raw output format*, and git's ``quote.c`` for names in a patch.
"""

import re

from runner.model.review import Change, Section

LINK, SUBMODULE, FILE, SCRIPT, NOTHING = "120000", "160000", "100644", "100755", "000000"
_MODES = frozenset((LINK, SUBMODULE, FILE, SCRIPT, NOTHING))
_RECORD = re.compile(
    rb":([0-7]{6}) ([0-7]{6}) ([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([ADMT])\Z"
)
_LETTERS = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
_QUOTED = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')


def parse_raw(output: bytes) -> tuple[Change, ...]:
    """Each change, in git's order.

    Raises:
        ValueError: that isn't such output, or one of its modes isn't one that git writes.
    """
    fields = output.split(b"\0")
    if fields.pop() != b"" or len(fields) % 2:
        raise ValueError("the list of changes isn't whole")
    changes = []
    for record, path in zip(fields[::2], fields[1::2], strict=True):
        match = _RECORD.match(record)
        if match is None or not path:
            raise ValueError(f"got {record[:200]!r}, expected modes, ids, status and a path")
        old_mode, new_mode, old_oid, new_oid, status = (g.decode() for g in match.groups())
        if not {old_mode, new_mode} <= _MODES:
            raise ValueError(f"got the modes {old_mode} and {new_mode} for {path[:200]!r}")
        changes.append(Change(path, status, old_mode, new_mode, old_oid, new_oid))
    return tuple(changes)


def kinds_of(change: Change, *, opaque: bool) -> tuple[str, ...]:
    """What makes ``change`` more than a change of text; empty for most."""
    modes = (change.old_mode, change.new_mode)
    name = change.path.rpartition(b"/")[2].lower()
    rules = (
        ("symlink", LINK in modes),
        ("submodule", SUBMODULE in modes),
        ("exec-bit", change.new_mode == SCRIPT != change.old_mode),
        ("mode", change.status == "M" and change.old_mode != change.new_mode),
        ("type", change.status == "T"),
        ("binary", opaque),
        ("attributes", name == b".gitattributes"),
        ("modules", name == b".gitmodules"),
    )
    return tuple(kind for kind, holds in rules if holds)


def headers_of(change: Change) -> tuple[bytes, ...]:
    """The first line of each section that the patch has for ``change``."""
    line = b"diff --git %s %s\n" % (quoted(b"a/" + change.path), quoted(b"b/" + change.path))
    return (line, line) if change.status == "T" else (line,)


def quoted(name: bytes) -> bytes:
    """``name`` as a patch spells it where ``core.quotePath`` is on."""
    if not _QUOTED.search(name):
        return name
    return b'"' + b"".join(_one(byte) for byte in name) + b'"'


def _one(byte: int) -> bytes:
    if byte in _LETTERS:
        return f"\\{_LETTERS[byte]}".encode()
    return bytes((byte,)) if 0x20 <= byte < 0x7F else f"\\{byte:03o}".encode()


def reading_order(sections: list[Section], kinds: list[tuple[str, ...]]) -> list[Section]:
    """What needs most care first (links, modes, what isn't shown), then git's order.

    Args:
        sections: Of one patch, in its order.
        kinds: Of each change, by its number.
    """
    return sorted(sections, key=lambda section: not kinds[section.file])
