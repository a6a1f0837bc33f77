"""The ORB job types run the target's own scripts, and say plainly where there is none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.orb_repo import build_orb_repo, commit_all, git, put
from tests.support.wrapper_run import open_folder, run_wrapper

SEARCHED = (
    "research/score_harness.sh, research/score_harness.py, ops/score_run.sh, ops/score_harness.sh"
)


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def test_doctor_output_holds_both_streams_of_the_targets_doctor(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    run = run_wrapper("orb_doctor", repo, scratch)
    assert run.exit_code == 0, run.stderr
    text = run.text("DOCTOR_OUTPUT.txt")
    assert "orb doctor: cwd orb, hooks pre-push\n" in text
    assert git(repo, "rev-parse", "HEAD") in text
    assert "orb doctor: a warning\n" in text
    assert text == run.stdout


def test_doctors_exit_code_is_the_jobs(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    assert (
        run_wrapper("orb_doctor", repo, scratch, environment={"ORB_DOCTOR_EXIT": "7"}).exit_code
        == 7
    )


def test_a_doctor_killed_by_a_signal_ends_as_a_shell_reports_it(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", doctor=None)
    put(repo, "scripts/doctor.sh", "kill -9 $$\n")
    commit_all(repo)
    assert run_wrapper("orb_doctor", repo, scratch).exit_code == 137


def test_a_target_without_doctor_is_script_not_found(scratch: Path) -> None:
    run = run_wrapper("orb_doctor", build_orb_repo(scratch / "orb", doctor=None), scratch)
    assert run.exit_code == 1
    assert run.text("DOCTOR_OUTPUT.txt").startswith("SCRIPT_NOT_FOUND: ")


def test_a_powershell_doctor_alone_is_unsupported(scratch: Path) -> None:
    run = run_wrapper("orb_doctor", build_orb_repo(scratch / "orb", doctor="ps1"), scratch)
    assert run.exit_code == 1
    assert run.text("DOCTOR_OUTPUT.txt").startswith("UNSUPPORTED: ops/doctor.ps1 ")


def test_a_powershell_doctor_beside_a_shell_one_is_ignored(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    put(repo, "ops/doctor.ps1", "exit 1\r\n")
    commit_all(repo)
    assert run_wrapper("orb_doctor", repo, scratch).exit_code == 0


@pytest.mark.parametrize("target", ["/bin/true", "../../outside.sh", "doctor.sh", "nowhere"])
def test_a_doctor_that_is_a_link_out_of_the_tree_is_refused(scratch: Path, target: str) -> None:
    put(scratch, "outside.sh", "echo out\n")
    repo = build_orb_repo(scratch / "orb", doctor=None)
    (repo / "ops/doctor.sh").symlink_to(target)
    put(repo, "scripts/doctor.sh", "echo second choice\n")
    commit_all(repo)
    run = run_wrapper("orb_doctor", repo, scratch)
    assert run.exit_code == 1
    assert run.text("DOCTOR_OUTPUT.txt").startswith("SCRIPT_REFUSED: ops/doctor.sh ")
    assert "second choice" not in run.stdout


def test_a_doctor_that_is_a_link_within_the_tree_runs(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", doctor=None)
    put(repo, "tools/real.sh", "echo real one\n")
    (repo / "ops/doctor.sh").symlink_to("../tools/real.sh")
    commit_all(repo)
    run = run_wrapper("orb_doctor", repo, scratch)
    assert run.exit_code == 0
    assert "real one\n" in run.text("DOCTOR_OUTPUT.txt")


def test_a_doctor_that_is_a_folder_is_refused(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", doctor=None)
    put(repo, "ops/doctor.sh/inside", "")
    commit_all(repo)
    run = run_wrapper("orb_doctor", repo, scratch)
    assert (run.exit_code, "isn't a regular file" in run.stdout) == (1, True)


def test_a_child_that_keeps_the_pipe_open_and_writes_on_doesnt_hold_the_job(scratch: Path) -> None:
    """The script is over when it has ended, whatever it left behind."""
    repo = build_orb_repo(scratch / "orb", doctor=None)
    put(repo, "ops/doctor.sh", "echo begun\n(while :; do echo more; done) &\necho ended\n")
    commit_all(repo)
    # Without a pid namespace the child lives until nobody reads its pipe: SIGPIPE ends it.
    run = run_wrapper("orb_doctor", repo, scratch)
    assert run.exit_code == 0
    assert "ended\n" in run.text("DOCTOR_OUTPUT.txt")


def test_output_over_the_cap_ends_the_file_with_how_much_is_missing(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", doctor=None)
    put(repo, "ops/doctor.sh", "head -c 20000000 /dev/zero\nexit 3\n")
    commit_all(repo)
    run = run_wrapper("orb_doctor", repo, scratch)
    assert run.exit_code == 3
    kept = (run.artifacts / "DOCTOR_OUTPUT.txt").read_bytes()
    assert len(kept) < 17_000_000
    assert kept.rstrip().endswith(b"more bytes aren't in this file; see the job's log]")
    assert len(run.stdout) > 20_000_000


@pytest.mark.parametrize("harness", SEARCHED.split(", "))
def test_each_place_of_a_harness_is_found(scratch: Path, harness: str) -> None:
    repo = build_orb_repo(scratch / "orb", harness=harness)
    day = {"logs_day": "2025-01-02", "run_id": "r1"}
    run = run_wrapper("orb_score_run", repo, scratch, params=day)
    assert run.exit_code == 0, run.stdout
    text = run.text("SCORE_OUTPUT.txt")
    assert f"orb_score_run: {harness} at " in text
    assert "logs_day 2025-01-02, run_id r1\n" in text
    assert "score of 2025-01-02" in text


def test_the_first_harness_of_the_list_wins(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", harness="ops/score_run.sh")
    put(repo, "research/score_harness.py", "print('the python one')\n")
    put(repo, "ops/score_harness.sh", "echo the last one\n")
    commit_all(repo)
    run = run_wrapper("orb_score_run", repo, scratch)
    assert "the python one\n" in run.text("SCORE_OUTPUT.txt")
    assert "last one" not in run.stdout
    assert "0.75" not in run.stdout


def test_no_harness_is_said_with_the_list_searched(scratch: Path) -> None:
    run = run_wrapper("orb_score_run", build_orb_repo(scratch / "orb", harness=None), scratch)
    assert run.exit_code == 1
    first, second = run.text("SCORE_OUTPUT.txt").splitlines()
    assert first.startswith("HARNESS_NOT_FOUND: ")
    assert second.endswith(SEARCHED)


def test_all_selftests_run_and_one_failure_fails_the_job(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", selftests={"a": 0, "b": 4, "c": 0})
    run = run_wrapper("orb_ops_selftests", repo, scratch)
    assert run.exit_code == 1
    text = run.text("SELFTESTS_OUTPUT.txt")
    assert all(f"{name} ran\n" in text for name in "abc")
    assert "== 2 of 3 passed, at " in text
    assert "failed with exit code 4: ops/tests/b_selftest.sh\n" in text


def test_selftests_that_all_pass_pass(scratch: Path) -> None:
    run = run_wrapper("orb_ops_selftests", build_orb_repo(scratch / "orb"), scratch)
    assert run.exit_code == 0
    assert "== 2 of 2 passed" in run.text("SELFTESTS_OUTPUT.txt")


def test_a_selftest_with_a_newline_in_its_name_runs_and_forges_no_line(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", selftests={})
    put(repo, "ops/tests/x\npassed: ops_selftest.sh", "exit 1\n")
    commit_all(repo)
    run = run_wrapper("orb_ops_selftests", repo, scratch)
    assert run.exit_code == 1
    assert "\npassed: " not in run.text("SELFTESTS_OUTPUT.txt")


def test_a_selftest_that_leaves_the_tree_counts_as_failed(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    (repo / "ops/tests/z_selftest.sh").symlink_to("/bin/true")
    commit_all(repo)
    run = run_wrapper("orb_ops_selftests", repo, scratch)
    assert run.exit_code == 1
    assert "refused: ops/tests/z_selftest.sh\n" in run.text("SELFTESTS_OUTPUT.txt")


def test_no_selftests_is_no_success(scratch: Path) -> None:
    run = run_wrapper("orb_ops_selftests", build_orb_repo(scratch / "orb", selftests={}), scratch)
    assert run.exit_code == 1
    assert run.text("SELFTESTS_OUTPUT.txt").startswith("SCRIPT_NOT_FOUND: ")


def test_review_auto_runs_without_push_or_reviewer_and_is_marked_simulated(scratch: Path) -> None:
    run = run_wrapper("orb_review_auto_nopush", build_orb_repo(scratch / "orb"), scratch)
    assert run.exit_code == 0, run.stdout
    lines = run.text("REVIEW_AUTO_OUTPUT.txt").splitlines()
    assert lines[0].startswith("SIMULATED: ")
    assert lines[-1].startswith("SIMULATED: ")
    assert "review_auto: arguments --no-push; CODEX_SKIP=1" in lines


def test_a_target_without_review_auto_is_script_not_found(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", review_auto=False)
    run = run_wrapper("orb_review_auto_nopush", repo, scratch)
    assert run.exit_code == 1
    assert "SCRIPT_NOT_FOUND: " in run.text("REVIEW_AUTO_OUTPUT.txt")
