"""Something wrong in a file that the operator wrote."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where.

    Attributes:
        path: The keys and positions that lead to it.
        message: What is the matter: what was got, what was expected.
        line: Where the keys alone don't say it (a key that stands twice).
    """

    path: tuple[str | int, ...]
    message: str
    line: int | None = None


def shown(value: object, limit: int = 60) -> str:
    """``value`` as text that is safe to print: escaped, on one line, and short."""
    # Python refuses to write an integer of over 4,300 digits as text, for the time that it takes.
    huge = isinstance(value, int) and value.bit_length() > 1024
    text = "a huge integer" if huge else ascii(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}… ({len(text)} characters)"
