"""A broken invariant outranks what the runner did, and that outranks what the job answered."""

import pytest

from runner.model.artifact import Invariants
from runner.model.job import Reason, Status
from runner.model.sandbox import ProcessExit, Stop
from runner.policy.conclusion import Conclusion, Ending, conclude
from tests.support.endings import process_exit


def _conclude(
    end: ProcessExit,
    *,
    output_limit: str = "",
    claim_problems: tuple[str, ...] = (),
    **broken: bool | None,
) -> Conclusion:
    held: dict[str, bool | None] = {
        "read_only_ok": True,
        "clean_tree_ok": True,
        "head_unmoved_ok": True,
        "no_push_ok": True,
        "no_orphans_ok": True,
    }
    return conclude(
        Ending(
            process_exit=end,
            invariants=Invariants(**(held | broken)),
            changed_files=("tree/a",),
            output_limit=output_limit,
            timeout_s=7,
            claim_problems=claim_problems,
        )
    )


def test_exit_zero_with_nothing_wrong_is_a_plain_success() -> None:
    assert _conclude(process_exit(0)) == Conclusion(Status.SUCCESS, None, "")


def test_an_invariant_that_is_null_changes_no_status() -> None:
    assert _conclude(process_exit(0), read_only_ok=None).status is Status.SUCCESS


@pytest.mark.parametrize("exit_code", [0, 1, 137])
@pytest.mark.parametrize("stopped", [None, *Stop])
def test_a_mutation_is_a_failure_whatever_else_happened(
    exit_code: int, stopped: Stop | None
) -> None:
    ended = _conclude(process_exit(exit_code, stopped=stopped), clean_tree_ok=False)
    assert (ended.status, ended.reason) == (Status.FAILURE, Reason.MUTATION_DETECTED)
    assert "tree/a" in ended.detail


def test_a_process_that_may_be_alive_is_a_failure_with_its_own_reason() -> None:
    ended = _conclude(process_exit(0, proven_dead=False), no_orphans_ok=False)
    assert (ended.status, ended.reason) == (Status.FAILURE, Reason.ORPHANS)


@pytest.mark.parametrize(
    ("stopped", "status", "reason"),
    [
        (Stop.TIMEOUT, Status.TIMEOUT, Reason.TIMEOUT),
        (Stop.CANCELLED, Status.CANCELLED, Reason.CANCELLED),
        (Stop.OUTPUT_LIMIT, Status.FAILURE, Reason.OUTPUT_LIMIT),
        (Stop.LEASE_LOST, Status.ERROR, Reason.WORKER_LOST),
    ],
)
def test_a_job_that_was_stopped_is_not_a_success_even_if_it_exits_zero(
    stopped: Stop, status: Status, reason: Reason
) -> None:
    ended = _conclude(process_exit(0, stopped=stopped))
    assert (ended.status, ended.reason) == (status, reason)


def test_outputs_over_their_limit_fail_a_job_that_exits_zero() -> None:
    ended = _conclude(process_exit(0), output_limit="more than 5 files")
    assert (ended.status, ended.reason) == (Status.FAILURE, Reason.OUTPUT_LIMIT)


def test_a_missing_exit_code_is_an_error_of_the_sandbox_not_a_success() -> None:
    ended = _conclude(process_exit(None))
    assert (ended.status, ended.reason) == (Status.ERROR, Reason.SANDBOX_FAILED)


def test_an_exit_code_and_a_signal_are_told_apart() -> None:
    assert _conclude(process_exit(3)).reason == Reason.EXIT_CODE
    assert _conclude(process_exit(137, signal=9)).reason == Reason.SIGNAL


def test_a_claim_that_does_not_hold_fails_a_job_that_did_well() -> None:
    ended = _conclude(process_exit(0), claim_problems=("a is missing", "b\x1b[2J"))
    assert (ended.status, ended.reason) == (Status.FAILURE, Reason.SIZE_CAP_CLAIM_INVALID)
    assert ended.detail == "a is missing; b\\x1b[2J"


def test_the_problems_of_a_claim_are_shortened() -> None:
    ended = _conclude(process_exit(0), claim_problems=("x" * 99_999,) * 99)
    assert len(ended.detail) < 1000


def test_an_exit_code_outranks_a_claim() -> None:
    ended = _conclude(process_exit(1), claim_problems=("a is missing",))
    assert ended.reason == Reason.EXIT_CODE
