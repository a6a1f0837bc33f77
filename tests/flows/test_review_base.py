"""A job's range begins where it was told to, else where the marker says, else at the root."""

from pathlib import Path

import pytest

from runner.errors import ConfigurationError
from runner.flows.review_base import MARKER, range_of_job
from tests.support.review_histories import LINK, Entry, Reviewed, Step, Tree, reviewed

PATH = MARKER.encode()


def with_marker(folder: Path, content: bytes | Entry | None) -> Reviewed:
    """Three commits, of which the last one has ``content`` as its marker."""
    first = [Step({b"a": b"1"}), Step({b"a": b"2"})]
    tree: Tree = {b"a": b"3"} if content is None else {b"a": b"3", PATH: content}
    return reviewed(folder, [*first, Step(tree)])


@pytest.fixture
def second(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The id of the second commit, which is the same in every such history."""
    return with_marker(tmp_path_factory.mktemp("other"), None).commits[1].encode()


def test_the_parameter_comes_first(tmp_path: Path, second: bytes) -> None:
    made = with_marker(tmp_path, second)
    found = range_of_job(made.reader, made.commits[-1], made.commits[0])
    assert (found.span.base, found.how) == (made.commits[0], "the parameter since_sha")


@pytest.mark.parametrize("after", [b"", b"\n", b" \r\n\n"])
def test_then_the_marker(tmp_path: Path, second: bytes, after: bytes) -> None:
    made = with_marker(tmp_path, second + after)
    found = range_of_job(made.reader, made.commits[-1], None)
    assert (found.span.base, found.how) == (made.commits[1], MARKER)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "there is no"),
        (b"", "doesn't hold"),
        (b"HEAD~1\n", "doesn't hold"),
        (b"1" * 39, "doesn't hold"),
        (b"x" * 2000, "there is no"),
        (b"1" * 40, "names no commit of this history"),
        (b"1" * 64, "names no commit of this history"),
        (Entry(b"../../etc/passwd", LINK), "there is no"),
    ],
)
def test_else_the_root_and_it_says_why(
    tmp_path: Path, content: bytes | Entry | None, why: str
) -> None:
    made = with_marker(tmp_path, content)
    found = range_of_job(made.reader, made.commits[-1], "")
    assert found.span.base == made.commits[0]
    assert found.how.startswith("the root commit")
    assert why in found.how


def test_a_parameter_that_is_wrong_is_refused_and_not_replaced(tmp_path: Path) -> None:
    made = with_marker(tmp_path, None)
    for since in ("1" * 40, "HEAD", made.span.head_tree):
        with pytest.raises(ConfigurationError, match="RANGE_UNKNOWN"):
            range_of_job(made.reader, made.commits[-1], since)
