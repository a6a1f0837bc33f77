"""Identifiers, and the only forms in which they are accepted."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

SHA_PATTERN = r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$"
DIGEST_PATTERN = r"^[0-9a-f]{64}$"
JOB_ID_PATTERN = r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{10}$"
NAME_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$"

CommitSha = Annotated[str, StringConstraints(pattern=SHA_PATTERN)]
"""A full object id: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits."""
Sha256 = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]
"""64 lower-case hex digits."""
JobId = Annotated[str, StringConstraints(pattern=JOB_ID_PATTERN)]
"""``YYYYMMDD-HHMMSS-<10 hex>``: sorts by time to the microsecond, safe as a file name."""
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A job type's or repository's name: safe as a file name, never an option."""

_JOB_ID = re.compile(JOB_ID_PATTERN.removesuffix("$") + r"\Z", re.ASCII)


def make_job_id(now: datetime, randomness: bytes) -> str:
    """The id of a job that was asked for at ``now`` (UTC).

    Of the ten hex digits five are the microseconds, so that the latest job is the last one, and
    five are random, for two in the same microsecond.
    """
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}{randomness.hex()[:5]}"


def is_job_id(text: str) -> bool:
    """Whether ``text`` has exactly the form of a job id (no newline, no path)."""
    return _JOB_ID.match(text) is not None
