"""What all nouns share: frozen, strict, and no key that nobody asked for."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer


class Noun(BaseModel):
    """A frozen, strict value. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def _aware_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("got a time without a zone, expected UTC")
    return value.astimezone(UTC)


def _rfc3339(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


UtcTime = Annotated[
    datetime,
    AfterValidator(_aware_utc),
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
]
"""An aware UTC time; in JSON an RFC 3339 string with milliseconds and ``Z``."""
