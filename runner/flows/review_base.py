"""Since when does a job review? The wrapper asks, and the executor, which doesn't take its word."""

import re
from dataclasses import dataclass

from runner.adapters.git.ranges import RangeReader
from runner.errors import ConfigurationError
from runner.model.review import ReviewRange

MARKER = "docs/LAST_REVIEWED_SHA.txt"
_MARKED = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64})\s*\Z")
_MARKER_BYTES = 1024


@dataclass(frozen=True)
class ReviewBase:
    """Where the range of a job begins.

    Attributes:
        span: The range.
        how: Where the base was had from, for people.
    """

    span: ReviewRange
    how: str


def range_of_job(reader: RangeReader, head: str, since_sha: str | None) -> ReviewBase:
    """The range that a job on ``head`` reviews.

    From the parameter; else from the marker file of the head, if it names a commit of its history;
    else from the root commit.

    Raises:
        ConfigurationError: ``RANGE_UNKNOWN``, ``BASE_NOT_ANCESTOR``: of the parameter.
        UnavailableError: ``GIT_…``.
    """
    if since_sha:
        return ReviewBase(reader.range(since_sha, head), "the parameter since_sha")
    text = reader.text_at(head, MARKER, max_bytes=_MARKER_BYTES)
    marked = None if text is None else _MARKED.match(text)
    if marked is None:
        why = f"the root commit, for there is no {MARKER}"
        if text is not None:
            why = f"the root commit, for {MARKER} doesn't hold a full commit id"
    else:
        try:
            return ReviewBase(reader.range(marked.group(1).decode(), head), MARKER)
        except ConfigurationError:
            why = f"the root commit, for {MARKER} names no commit of this history"
    return ReviewBase(reader.range(reader.root_of(head), head), why)
