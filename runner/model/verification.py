"""What a verifier found out about a record, check by check."""

from enum import StrEnum

from runner.model.base import Noun


class CheckState(StrEnum):
    """How one check came out. Unknown is what can't be decided from here, and isn't a yes."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Check(Noun):
    """One thing that was looked at: its name, how it came out, and what was seen."""

    name: str
    state: CheckState
    what: str


class Verdict(StrEnum):
    """What all checks amount to."""

    VALID = "VALID"
    INTEGRITY_ONLY = "INTEGRITY_ONLY"
    INVALID = "INVALID"

    @property
    def exit_code(self) -> int:
        """With what ``runner verify`` ends."""
        return _EXIT_CODES[self]


_EXIT_CODES = {Verdict.VALID: 0, Verdict.INTEGRITY_ONLY: 3, Verdict.INVALID: 5}


class Verification(Noun):
    """Every check, in the order in which they were made.

    Attributes:
        signed_by: Id of the trusted key that signed the record; null if none did.
    """

    job_id: str | None
    checks: tuple[Check, ...]
    signed_by: str | None

    @property
    def overall(self) -> Verdict:
        """Valid if every check is ok; a failed one outranks an unknown one."""
        states = {check.state for check in self.checks}
        if CheckState.FAILED in states or not states:
            return Verdict.INVALID
        return Verdict.INTEGRITY_ONLY if CheckState.UNKNOWN in states else Verdict.VALID
