"""Counts the tests in a JUnit XML file that a job left behind: hostile input.

Only the attributes of ``testsuite`` elements are read, with a size cap. A document type
declaration is refused, so no entity is ever expanded (CWE-776). The file is parsed in one piece:
given in many, expat before 2.6.0 looks at an unfinished token again from its beginning each time,
and one of 30 MB takes minutes (CVE-2023-52425).
"""

from pathlib import Path
from xml.parsers import expat

from runner.model.artifact import TestCounts

_MAX_BYTES = 32 * 1024 * 1024


class _Counter:
    def __init__(self) -> None:
        self.depth_of_suite = 0
        self.totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name != "testsuite":
            return
        self.depth_of_suite += 1
        if self.depth_of_suite == 1:  # an outer suite's counts hold those of the suites in it
            for key in self.totals:
                self.totals[key] += _count(attributes.get(key, "0"))

    def end(self, name: str) -> None:
        if name == "testsuite":
            self.depth_of_suite -= 1


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"got {text[:20]!r}, expected a count")
    return int(text)


def _refuse(*_: object) -> None:
    raise ValueError("a document type declaration isn't allowed")


def count_tests(path: Path) -> TestCounts | None:
    """The counts claimed by the JUnit file at ``path``; null if it isn't a readable one."""
    counter = _Counter()
    parser = expat.ParserCreate()
    parser.StartElementHandler = counter.start
    parser.EndElementHandler = counter.end
    parser.StartDoctypeDeclHandler = _refuse
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        parser.Parse(path.read_bytes(), True)
    except (OSError, ValueError, expat.ExpatError):
        return None
    totals = counter.totals
    passed = totals["tests"] - totals["failures"] - totals["errors"] - totals["skipped"]
    if passed < 0:
        return None
    return TestCounts(
        tests=totals["tests"],
        passed=passed,
        failed=totals["failures"],
        errors=totals["errors"],
        skipped=totals["skipped"],
    )
