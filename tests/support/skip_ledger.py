"""A pytest plugin that keeps book of what was skipped and which backends were really exercised.

A skipped test is a claim that nobody checked. Each is named with its reason at the end of a run;
with ``--skip-ledger=FILE`` the book is also written down, and

    python -m tests.support.skip_ledger FILE --as root|user

fails if a backend wasn't exercised or a test was skipped that ``allowed_skips.txt`` doesn't name.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

BACKENDS = ("bubblewrap", "landlock")
ALLOWED = Path(__file__).parents[1] / "allowed_skips.txt"
_BACKEND = "backend"


@dataclass
class Ledger:
    """What one run left undone, and what it did try.

    Attributes:
        passed: How many tests passed.
        skipped: Test id (or the module's, where a whole module was skipped) → reason.
        exercised: Backend → how many tests passed that ran something inside it.
    """

    passed: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    exercised: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BACKENDS, 0))


@dataclass(frozen=True)
class AllowedSkip:
    """A line of the committed list: who may skip which tests."""

    run_as: str
    pattern: str

    def covers(self, test: str, run_as: str) -> bool:
        """Whether ``test`` may be skipped in a run as ``run_as``."""
        # test ids hold brackets, which fnmatch would read as a set of characters
        pattern = self.pattern.replace("[", "[[]")
        return self.run_as in (run_as, "any") and fnmatchcase(test, pattern)


def read_allowed(text: str) -> tuple[AllowedSkip, ...]:
    """The list's lines: ``root|user|any  PATTERN  # reason``.

    Raises:
        ValueError: a line has another form, or no reason.
    """
    allowed = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        entry, separator, reason = line.partition(" # ")
        words = entry.split()
        if len(words) != 2 or words[0] not in ("root", "user", "any"):
            raise ValueError(f"line {number}: got {line!r}, expected 'root|user|any PATTERN # why'")
        if not separator or not reason.strip():
            raise ValueError(f"line {number}: a skip without a reason")
        allowed.append(AllowedSkip(*words))
    return tuple(allowed)


def problems(ledger: Ledger, allowed: Iterable[AllowedSkip], run_as: str) -> tuple[str, ...]:
    """Everything that keeps this run from counting as a whole one."""
    entries = tuple(allowed)
    found = [] if ledger.passed else ["no test passed"]
    found += [
        f"{backend} was not exercised by any test"
        for backend in BACKENDS
        if not ledger.exercised.get(backend)
    ]
    found += [
        f"skipped, and not on the list: {test} ({reason})"
        for test, reason in sorted(ledger.skipped.items())
        if not any(entry.covers(test, run_as) for entry in entries)
    ]
    return tuple(found)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return " ".join(text.removeprefix("Skipped: ").split())


class _Bookkeeper:
    def __init__(self, path: str | None) -> None:
        self.ledger = Ledger()
        self.path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.ledger.skipped[report.nodeid] = _reason(report)
        elif report.when == "call" and report.passed:
            self.ledger.passed += 1
            for name, value in report.user_properties:
                if name == _BACKEND:
                    backend = str(value)
                    self.ledger.exercised[backend] = self.ledger.exercised.get(backend, 0) + 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.ledger.skipped[report.nodeid] = _reason(report)

    def pytest_sessionfinish(self) -> None:
        if self.path:
            Path(self.path).write_text(json.dumps(asdict(self.ledger), indent=1) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for test, reason in sorted(self.ledger.skipped.items()):
            terminalreporter.write_line(f"not run: {test}: {reason}")
        tried = ", ".join(f"{name} {count}" for name, count in self.ledger.exercised.items())
        terminalreporter.write_line(f"tests inside a sandbox: {tried}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--skip-ledger``."""
    parser.addoption("--skip-ledger", metavar="FILE", help="write what was skipped, and why")


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the book where the reports come together: not in xdist's workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Bookkeeper(config.getoption("--skip-ledger")))


def pytest_runtest_call(item: pytest.Item) -> None:
    """Notes which backend a test is about, for the side that keeps the book."""
    about = {mark.name.removeprefix("needs_") for mark in item.iter_markers()}
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        about |= {value for value in item.callspec.params.values() if isinstance(value, str)}
    for backend in sorted(about & set(BACKENDS)):
        item.user_properties.append((_BACKEND, backend))


def main(arguments: list[str]) -> int:
    """Prints the problems of a written ledger; 1 if there are any."""
    parser = argparse.ArgumentParser(description="Was everything tested that had to be?")
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--as", dest="run_as", choices=("root", "user"), required=True)
    chosen = parser.parse_args(arguments)
    ledger = Ledger(**json.loads(chosen.ledger.read_text()))
    found = problems(ledger, read_allowed(ALLOWED.read_text()), chosen.run_as)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
