"""What a JUnit file says. The code under test could have written it, so it is read as a claim."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

MAX_BYTES = 32 * 1024 * 1024
MAX_TROUBLE = 100


class JunitError(Exception):
    """There is no JUnit file, or it can't be read as one."""


@dataclass
class Results:
    """Counted test by test, not taken from the file's own sums.

    Attributes:
        trouble: A line for each test that failed or broke, at most 100.
    """

    tests: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    trouble: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """Tests with nothing to say."""
        return self.tests - self.failed - self.errors - self.skipped


def read_results(path: Path) -> Results:
    """The results in ``path``, read as a stream.

    Raises:
        JunitError: no regular file, over 32 MiB, with a document type (nothing that pytest
            writes has one, and entities are declared there), or no XML.
    """
    counter = _Counter()
    parser = expat.ParserCreate()
    parser.StartElementHandler = counter.start
    parser.EndElementHandler = counter.end
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                raise JunitError("junit.xml isn't a regular file of at most 32 MiB")
            parser.ParseFile(file)
    except OSError as error:
        raise JunitError(f"junit.xml: {error.strerror}") from error
    except expat.ExpatError as error:
        raise JunitError(f"junit.xml isn't XML: {error}") from error
    return counter.results


class _Counter:
    def __init__(self) -> None:
        self.results = Results()
        self._name = ""
        self._outcomes: set[str] = set()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "testcase":
            self._name = f"{attributes.get('classname', '')}::{attributes.get('name', '')}"
            self._outcomes = set()
        else:
            self._outcomes.add(tag)

    def end(self, tag: str) -> None:
        if tag != "testcase":
            return
        self.results.tests += 1
        if "failure" in self._outcomes:
            self.results.failed += 1
            self._trouble("failed")
        elif "error" in self._outcomes:
            self.results.errors += 1
            self._trouble("error")
        elif "skipped" in self._outcomes:
            self.results.skipped += 1

    def _trouble(self, word: str) -> None:
        if len(self.results.trouble) < MAX_TROUBLE:
            self.results.trouble.append(f"{word}: {self._name}")


def _refuse_document_type(*_: object) -> None:
    raise JunitError("junit.xml declares a document type")
