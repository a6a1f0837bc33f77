"""Walks a patch as bytes, so that content can never pass for structure.

The lines of a hunk are counted by its own header and consumed as what they are; a line that reads
``diff --git`` inside of one is content. Nothing is decoded, and a line ends at a line feed alone:
a form feed, a carriage return or U+2028 is part of it. Not a diff library, on purpose: those that
were tried drop the rest of such lines, or can't read some names.

Source of the grammar: git-diff(1), *Generating patch text with -p*, and git's ``apply.c``.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from itertools import accumulate

from runner.model.review import Section
from runner.policy.packets.visible import is_plain

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_EXTENDED = re.compile(
    rb"(?:index [0-9a-f]{40,64}\.\.[0-9a-f]{40,64}(?: [0-7]{6})?"
    rb"|(?:old|new|deleted file|new file) mode [0-7]{6}|(?:---|\+\+\+) [^\n]+)\Z"
)
_BINARY = b"GIT binary patch"
_BINARY_PART = re.compile(rb"(?:literal|delta) (\d{1,18})\Z")
_LONGEST_REST = 1 << 16


class _At(Enum):
    HEADER = auto()
    HUNK = auto()
    AFTER_HUNK = auto()
    BINARY_PART = auto()
    BINARY_DATA = auto()


class PatchWalk:
    """Finds the sections of a patch while its bytes stream by; keeps none of them.

    Args:
        headers: Number of the change and first line of each section, in order, as they have to
            come (``raw_diff.headers_of``).
    """

    def __init__(self, headers: Sequence[tuple[int, bytes]]) -> None:
        self.sections: list[Section] = []
        self.size = 0
        # no line outside of a hunk is longer than the first of its section, but for a hunk's header
        # and binary data, which are short; a name in a tree has no limit of its own
        self._longest = max((len(line) for _, line in headers), default=0) + _LONGEST_REST
        self._headers: Iterator[tuple[int, bytes]] = iter(headers)
        self._expected = next(self._headers, None)
        self._at = _At.AFTER_HUNK
        self._rest = b""
        self._within_line = False
        self._old = self._new = 0
        self._binary_parts = 0

    def feed(self, block: bytes) -> None:
        """Takes the next bytes of the patch.

        Raises:
            ValueError: they aren't what has to come.
        """
        first = len(self.sections)
        offset = self.size - len(self._rest)
        self.size += len(block)
        plain = is_plain(block)
        if self._within_line:
            end = block.find(b"\n") + 1
            if end:
                self._within_line = False
                self._lines(block[end:], offset + end)
        else:
            self._lines(self._rest + block, offset)
        if not plain:
            for section in self.sections[max(first - 1, 0) :]:
                section.plain = False

    def finish(self) -> None:
        """Ends the patch.

        Raises:
            ValueError: something is missing.
        """
        if self._rest or self._within_line or self._at in (_At.HUNK, _At.BINARY_DATA):
            raise ValueError(f"the patch ends in the middle, after {self.size} bytes")
        if self._at is _At.BINARY_PART and self._binary_parts != 2:
            raise ValueError("a binary part is missing")
        if self._expected is not None:
            raise ValueError(f"the patch has nothing on {self._expected[1][:200]!r}")
        if self.sections:
            self._end_section(self.size)

    def _lines(self, data: bytes, offset: int) -> None:
        """Takes all whole lines of ``data``, which begins at ``offset``; keeps the rest."""
        lines = data.split(b"\n")
        self._rest = lines.pop()
        # what each line begins with, so that counting a hunk's lines is counting bytes
        marks = b"".join([line[:1] or b"\n" for line in lines])
        ends = [0, *accumulate(map(len, lines))]
        number = 0
        while number < len(lines):
            if self._at is _At.HUNK:
                stop = min(number + max(self._old, self._new), len(lines))
                self._count(marks, number, stop)
                number = stop
            else:
                self._one(lines[number], offset + ends[number] + number)
                number += 1
        if self._at is _At.HUNK and self._rest:
            # its first byte says what it is; the line itself may be larger than memory
            self._count(self._rest[:1], 0, 1)
            self._rest = b""
            self._within_line = True
        elif len(self._rest) > self._longest:
            raise ValueError(f"got a line of over {self._longest} bytes outside of a hunk")

    def _count(self, marks: bytes, start: int, stop: int) -> None:
        """Consumes lines of the hunk: at most as many as are certain to be its own."""
        added = marks.count(b"+", start, stop)
        removed = marks.count(b"-", start, stop)
        kept = marks.count(b" ", start, stop)
        if added + removed + kept != stop - start:
            notes = marks.count(b"\\", start, stop)
            if added + removed + kept + notes != stop - start:
                raise ValueError("a line of a hunk begins with something else than ' ', '+' or '-'")
        self._old -= removed + kept
        self._new -= added + kept
        if self._old < 0 or self._new < 0:
            raise ValueError("a hunk has other lines than it counts")
        if not self._old and not self._new:
            self._at = _At.AFTER_HUNK

    def _one(self, line: bytes, offset: int) -> None:
        match self._at:
            case _At.BINARY_DATA:
                if not line:
                    self._at = _At.BINARY_PART
            case _At.BINARY_PART if self._binary_parts < 2:
                self._binary_part(line)
            case _At.AFTER_HUNK if line.startswith(b"\\ "):
                pass
            case _ if line.startswith(b"diff --git "):
                self._begin_section(line, offset)
            case _At.BINARY_PART:
                raise ValueError(f"got {line[:100]!r} after a binary part")
            case _ if line.startswith(b"@@ ") and self.sections:
                self._begin_hunk(line, offset)
            case _At.HEADER if line == _BINARY:
                self.sections[-1].opaque_from = offset
                self._at, self._binary_parts = _At.BINARY_PART, 0
            case _At.HEADER if _EXTENDED.match(line):
                pass
            case _:
                raise ValueError(f"got {line[:100]!r} at byte {offset}")

    def _begin_section(self, line: bytes, offset: int) -> None:
        if self._expected is None:
            raise ValueError(f"the patch has {line[:200]!r}, which isn't among the changes")
        file, expected = self._expected
        if line + b"\n" != expected:
            raise ValueError(f"got {line[:200]!r}, expected {expected[:200]!r}")
        self._expected = next(self._headers, None)
        if self.sections:
            self._end_section(offset)
        self.sections.append(Section(file=file, offset=offset))
        self._at = _At.HEADER

    def _end_section(self, offset: int) -> None:
        section = self.sections[-1]
        section.end = offset
        if section.opaque_from < 0:
            section.opaque_from = offset

    def _begin_hunk(self, line: bytes, offset: int) -> None:
        match = _HUNK.match(line)
        if match is None:
            raise ValueError(f"got {line[:100]!r}, expected the header of a hunk")
        self._old, self._new = (1 if count is None else int(count) for count in match.groups())
        self.sections[-1].hunks.append(offset)
        self._at = _At.HUNK if self._old or self._new else _At.AFTER_HUNK

    def _binary_part(self, line: bytes) -> None:
        match = _BINARY_PART.match(line)
        if match is None:
            raise ValueError(f"got {line[:100]!r}, expected the size of a binary part")
        section = self.sections[-1]
        section.declared = (*section.declared, int(match.group(1)))
        self._binary_parts += 1
        self._at = _At.BINARY_DATA
