"""Links that lead nowhere: symbolic ones, and relative ones in Markdown."""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from aiops_wrappers.doctor.findings import Findings
from aiops_wrappers.doctor.listing import Entry

LONGEST_TARGET = 1000
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:")
_FENCE = re.compile(rb" {0,3}(`{3,}|~{3,})")
_DEFINITION = re.compile(rb" {0,3}\[[^\[\]]{1,200}\]:[ \t]*(\S{1,1000})")
# Parentheses one deep; possessive, so that no text makes it go back.
_DESTINATION = re.compile(rb"[^\s()]*+(?:\([^\s()]*+\)[^\s()]*+)*+(?=[\s)])")
_TICKS = re.compile(rb"`+")


class LinkChecker:
    """Knows every path of the commit, and so which link leads nowhere."""

    def __init__(self, checkout: Path, entries: Iterable[Entry]) -> None:
        self._root = os.path.realpath(os.fsencode(checkout))
        self._paths: set[bytes] = set()
        for entry in entries:
            path = entry.path
            while path and path not in self._paths:
                self._paths.add(path)
                path = path.rpartition(b"/")[0]

    def look_at_symlinks(self, entries: Iterable[Entry], findings: Findings) -> None:
        """Adds each symbolic link that is broken, circular or leaves the tree."""
        for entry in entries:
            if not entry.is_symlink:
                continue
            place = os.path.join(self._root, entry.path)
            try:
                target = os.readlink(place)
            except OSError as error:
                why = (error.strerror or "").encode()
                findings.add("missing_in_checkout", entry.path, detail=why)
                continue
            kind = self._symlink_problem(place, target)
            if kind:
                findings.add(kind, entry.path, detail=b"to " + target)

    def _symlink_problem(self, place: bytes, target: bytes) -> str:
        # What an absolute path leads to depends on the machine, so it isn't followed at all.
        if target.startswith(b"/"):
            return "symlink_leaves_tree"
        try:
            # The kernel first: it gives up after 40 links (path_resolution(7)), Python later.
            os.stat(place)
        except OSError:
            lexical = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
            return "broken_symlink" if self._holds(lexical) else "symlink_leaves_tree"
        return "" if self._holds(os.path.realpath(place)) else "symlink_leaves_tree"

    def _holds(self, absolute: bytes) -> bool:
        return absolute == self._root or absolute.startswith(self._root + b"/")

    def look_at_markdown(self, path: bytes, data: bytes, findings: Findings) -> None:
        """Adds each relative link of the Markdown file ``path`` to a path that isn't there."""
        for line, target in _targets(data):
            if not self._leads_somewhere(path, target):
                findings.add("broken_link", path, line=line, detail=b"to " + target)

    def _leads_somewhere(self, path: bytes, target: bytes) -> bool:
        bare = re.split(rb"[#?]", target, maxsplit=1)[0]
        if not bare or bare.startswith((b"//", b"<", b"{", b"$")) or _SCHEME.match(bare):
            return True
        for spelling in (bare, unquote_to_bytes(bare)):
            base = b"" if spelling.startswith(b"/") else posixpath.dirname(path)
            joined = posixpath.normpath(posixpath.join(base, spelling.lstrip(b"/")))
            # Links above the top ("../../issues") are the forge's pages: nothing to check.
            if joined in self._paths or joined == b"." or joined.split(b"/")[0] == b"..":
                return True
        return self._through_a_symlink(path, bare)

    def _through_a_symlink(self, path: bytes, bare: bytes) -> bool:
        if b"\0" in bare:
            return False
        base = b"" if bare.startswith(b"/") else posixpath.dirname(path)
        place = os.path.join(self._root, base, bare.lstrip(b"/"))
        try:
            os.stat(place)
        except OSError:
            return False
        return self._holds(os.path.realpath(place))


def _targets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Line and target of each link outside code (CommonMark 0.31, links and code)."""
    fence = b""
    for number, line in enumerate(data.split(b"\n"), start=1):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = b""
            continue
        if mark:
            fence = mark[1]
            continue
        if b"](" not in line and b"]:" not in line:
            continue
        definition = _DEFINITION.match(line)
        if definition and not definition[1].startswith(b"<"):
            yield number, definition[1]
        for target in _inline_targets(_without_code(line)):
            yield number, target


def _inline_targets(line: bytes) -> Iterator[bytes]:
    """What stands in ``](…)``; one pass, whatever the line looks like."""
    at = line.find(b"](")
    while at >= 0:
        text = line[at + 2 : at + 2 + LONGEST_TARGET].lstrip(b" ")
        target = _destination(text)
        if target:
            yield target
        at = line.find(b"](", at + 2)


def _destination(text: bytes) -> bytes:
    """The link destination that ``text`` begins with; empty if it doesn't end in there."""
    if text.startswith(b"<"):
        inside, closed, _ = text[1:].partition(b">")
        return inside if closed else b""
    match = _DESTINATION.match(text)
    return match.group() if match else b""


def _without_code(line: bytes) -> bytes:
    """``line`` without its code spans: a run of backticks to the next run of that length."""
    runs = [(match.start(), match.end()) for match in _TICKS.finditer(line)]
    if not runs:
        return line
    closing: dict[int, int] = {}
    partner: list[int | None] = [None] * len(runs)
    for place in range(len(runs) - 1, -1, -1):
        length = runs[place][1] - runs[place][0]
        partner[place] = closing.get(length)
        closing[length] = place
    parts, at, place = [], 0, 0
    while place < len(runs):
        other = partner[place]
        if other is None:
            place += 1
            continue
        parts.append(line[at : runs[place][0]])
        at = runs[other][1]
        place = other + 1
    return b"".join([*parts, line[at:]])
