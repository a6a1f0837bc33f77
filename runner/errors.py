"""The error families, by what the caller can do about them.

A failing job is a *result* and a broken invariant is an *outcome*: neither is an error.
Only what stops this program from answering is one. Each error has a stable ``code`` for
machines, a message for people (the culprit, what was got, what was expected, no secret)
and, where one exists, a ``remedy``.
"""

from typing import ClassVar


class RunnerError(Exception):
    """Any error that this program raises on purpose.

    Attributes:
        code: Stable, machine-readable, upper case with underscores.
        remedy: What the reader can do about it; empty where nothing is known to help.
        exit_code: What the command line ends with.
        http_status: What the API answers with.
    """

    exit_code: ClassVar[int] = 3
    http_status: ClassVar[int] = 500

    def __init__(self, code: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.code}: {self.args[0]}"


class ConfigurationError(RunnerError):
    """Something that the operator wrote is wrong: fix the file, the setting or the command."""

    exit_code = 2
    http_status = 500


class RefusedError(RunnerError):
    """The request isn't allowed; asking again changes nothing."""

    exit_code = 4
    http_status = 403


class NotFoundError(RunnerError):
    """What was named doesn't exist."""

    exit_code = 2
    http_status = 404


class BusyError(RunnerError):
    """Somebody else holds what is needed; try again later."""

    exit_code = 75
    http_status = 503


class UnavailableError(RunnerError):
    """A dependency can't be reached or can't do what is needed; mending it may help."""

    exit_code = 3
    http_status = 503


class IntegrityError(RunnerError):
    """Something that was sealed is no longer what it was."""

    exit_code = 5
    http_status = 500


class BugError(RunnerError):
    """This program contradicts itself."""

    exit_code = 3
    http_status = 500
