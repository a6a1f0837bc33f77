"""What a job's end amounts to: its status, the reason beside it, and the words for a person.

A broken invariant outranks everything, then what the runner itself did to the job, then what the
job answered. Rules are tried in that order; the first that has an answer decides.
"""

from collections.abc import Callable
from dataclasses import dataclass

from runner.model.artifact import Invariants
from runner.model.job import Reason, Status
from runner.model.sandbox import ProcessExit, Stop
from runner.model.shown import shown
from runner.policy.invariants import violated

_MOST_PROBLEMS = 3
_MOST_CHARACTERS = 600


@dataclass(frozen=True)
class Conclusion:
    """How a job ended.

    Attributes:
        detail: The reason in words; empty on plain success.
    """

    status: Status
    reason: str | None
    detail: str


@dataclass(frozen=True)
class Ending:
    """What the conclusion is drawn from.

    Attributes:
        output_limit: Which limit the outputs broke; empty if none.
        timeout_s: What the job was given, for the words.
        claim_problems: What doesn't hold of what the job said of its outputs.
    """

    process_exit: ProcessExit
    invariants: Invariants
    changed_files: tuple[str, ...]
    output_limit: str
    timeout_s: int
    claim_problems: tuple[str, ...] = ()


Rule = Callable[[Ending], Conclusion | None]


def conclude(ending: Ending) -> Conclusion:
    """The status and reason of a job whose own code was started."""
    for rule in RULES:
        conclusion = rule(ending)
        if conclusion is not None:
            return conclusion
    return Conclusion(Status.SUCCESS, None, "")


def _invariant_broken(ending: Ending) -> Conclusion | None:
    broken = violated(ending.invariants)
    if not broken:
        return None
    if broken == ("no_orphans_ok",):
        return Conclusion(
            Status.FAILURE, Reason.ORPHANS, "a process of the job couldn't be shown to be dead"
        )
    shown = ", ".join(ending.changed_files[:5]) or "see changed_files"
    return Conclusion(
        Status.FAILURE, Reason.MUTATION_DETECTED, f"{', '.join(broken)} violated: {shown}"
    )


def _sandbox_failed(ending: Ending) -> Conclusion | None:
    end = ending.process_exit
    if end.sandbox_error or end.exit_code is None:
        return Conclusion(
            Status.ERROR, Reason.SANDBOX_FAILED, end.sandbox_error or "no exit code was reported"
        )
    return None


def _stopped(ending: Ending) -> Conclusion | None:
    match ending.process_exit.stopped:
        case Stop.TIMEOUT:
            detail = f"it was still running after {ending.timeout_s} s"
            return Conclusion(Status.TIMEOUT, Reason.TIMEOUT, detail)
        case Stop.CANCELLED:
            return Conclusion(Status.CANCELLED, Reason.CANCELLED, "it was cancelled while running")
        case Stop.OUTPUT_LIMIT:
            detail = "it wrote more than it may while running"
            return Conclusion(Status.FAILURE, Reason.OUTPUT_LIMIT, detail)
        case Stop.LEASE_LOST:
            return Conclusion(Status.ERROR, Reason.WORKER_LOST, "the worker lost its lease")
        case None:
            return None


def _outputs_over_limit(ending: Ending) -> Conclusion | None:
    if not ending.output_limit:
        return None
    return Conclusion(Status.FAILURE, Reason.OUTPUT_LIMIT, f"outputs: {ending.output_limit}")


def _exit_code(ending: Ending) -> Conclusion | None:
    end = ending.process_exit
    if end.exit_code == 0:
        return None
    if end.signal is not None:
        return Conclusion(Status.FAILURE, Reason.SIGNAL, f"it was killed by signal {end.signal}")
    return Conclusion(Status.FAILURE, Reason.EXIT_CODE, f"it exited with {end.exit_code}")


def _claim_invalid(ending: Ending) -> Conclusion | None:
    if not ending.claim_problems:
        return None
    words = shown("; ".join(ending.claim_problems[:_MOST_PROBLEMS]))
    detail = words if len(words) <= _MOST_CHARACTERS else f"{words[:_MOST_CHARACTERS]}…"
    return Conclusion(Status.FAILURE, Reason.SIZE_CAP_CLAIM_INVALID, detail)


RULES: tuple[Rule, ...] = (
    _invariant_broken,
    _sandbox_failed,
    _stopped,
    _outputs_over_limit,
    _exit_code,
    _claim_invalid,
)
