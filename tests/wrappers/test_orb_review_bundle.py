"""``orb_review_bundle``: the target's own bundle; over its cap packets that are complete."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.policy.packets import meta
from tests.support.orb_repo import LINES, build_orb_repo, commit_all, git, put
from tests.support.wrapper_run import WrapperRun, open_folder, run_wrapper

SAID = "REVIEW_BUNDLE_OUTPUT.txt"
OURS = {
    *("REVIEW_BUNDLE.txt", "README_REVIEW_PACKETS.txt", "ORB_REVIEW_PACKETS.tar.gz"),
    *("review_packets", "size_cap_meta.json"),
}


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def review(
    scratch: Path, bundle: str | None, codex: str | None = None, change: str = LINES
) -> WrapperRun:
    repo = build_orb_repo(scratch / "orb", review_bundle=bundle, review_codex=codex, change=change)
    return run_wrapper("orb_review_bundle", repo, scratch)


def names(run: WrapperRun) -> set[str]:
    """What it left in its folder."""
    return {path.name for path in run.artifacts.iterdir()} - {"params.json", SAID}


def claim(run: WrapperRun) -> meta.Meta:
    """The claim, whose packets have to be there."""
    assert run.exit_code == 0, run.stdout + run.stderr
    found = meta.from_json((run.artifacts / meta.NAME).read_bytes())
    folder = run.artifacts / found.packets_dir
    assert len(list(folder.glob("packet_*"))) == found.packet_count
    assert run.text("REVIEW_BUNDLE.txt").startswith("SIZE_CAP_EXCEEDED\n")
    return found


def test_the_targets_own_bundle_is_the_output_if_it_fits(scratch: Path) -> None:
    run = review(scratch, "fits", change="one line\n")
    assert run.exit_code == 0, run.stdout + run.stderr
    assert names(run) == {"REVIEW_BUNDLE.txt"}
    assert "+one line\n" in run.text("REVIEW_BUNDLE.txt")
    assert "review_bundle: since " in run.text(SAID)
    assert run.text(SAID) == run.stdout


def test_the_target_gets_the_base_that_was_chosen(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", review_bundle="fits", change="one line\n")
    since = git(repo, "rev-parse", "HEAD~1")
    run = run_wrapper("orb_review_bundle", repo, scratch, params={"since_sha": since})
    assert f"review_bundle: since {since}\n" in run.stdout


@pytest.mark.parametrize("how", ["nothing", "empty", "a link", "a folder"])
def test_a_target_that_says_0_without_a_bundle_fails(scratch: Path, how: str) -> None:
    run = review(scratch, how)
    assert run.exit_code == 1
    assert "NO_BUNDLE: " in run.stdout


def test_another_exit_code_of_the_targets_is_the_jobs(scratch: Path) -> None:
    run = review(scratch, "fails")
    assert run.exit_code == 9
    assert names(run) == set()


def test_a_target_without_the_script_gets_our_bundle_and_is_told_so(scratch: Path) -> None:
    run = review(scratch, None, change="one line\n")
    assert run.exit_code == 0
    assert "the target has no ops/review_bundle.sh" in run.stdout
    assert "+one line\n" in run.text("REVIEW_BUNDLE.txt")
    assert names(run) == {"REVIEW_BUNDLE.txt"}


def test_a_script_that_is_a_link_out_of_the_tree_is_refused(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    (repo / "ops/review_bundle.sh").symlink_to("/bin/true")
    commit_all(repo)
    run = run_wrapper("orb_review_bundle", repo, scratch)
    assert run.exit_code == 1
    assert "SCRIPT_REFUSED: ops/review_bundle.sh " in run.stdout
    assert names(run) == set()


def test_an_unknown_base_ends_before_the_target_is_asked(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", review_bundle="fits")
    run = run_wrapper("orb_review_bundle", repo, scratch, params={"since_sha": "f" * 40})
    assert run.exit_code == 2
    assert "RANGE_UNKNOWN" in run.stdout
    assert "review_bundle: since" not in run.stdout


def test_over_the_targets_cap_the_packets_are_ours_where_it_makes_none(scratch: Path) -> None:
    run = review(scratch, "over the cap")
    assert claim(run).warnings == ("SIZE_CAP_EXCEEDED",)
    assert names(run) == OURS
    assert "the target has no ops/review_codex.sh\n" in run.stdout


def test_over_the_targets_cap_there_are_packets_however_small_the_change(scratch: Path) -> None:
    assert claim(review(scratch, "over the cap", change="one line\n")).packet_count == 1


def test_the_targets_own_packets_are_taken_if_they_prove_complete(scratch: Path) -> None:
    run = review(scratch, "over the cap", "complete")
    found = claim(run)
    assert "the target's own packets, proven complete" in run.stdout
    assert names(run) == OURS
    manifest = json.loads(run.text(f"{found.packets_dir}/manifest.json"))
    assert manifest["packet_bytes"] == 20_000  # ours would have more


@pytest.mark.parametrize(
    "codex",
    [
        *("incomplete", "one byte changed", "a packet less", "another range", "links in it"),
        *("other instructions", "fails when all is done"),
    ],
)
def test_packets_of_the_targets_that_arent_whole_and_as_ours_are_kept_aside(
    scratch: Path, codex: str
) -> None:
    run = review(scratch, "over the cap", codex)
    found = claim(run)
    assert found.warnings == ("SIZE_CAP_EXCEEDED", "TARGET_PACKETS_INCOMPLETE")
    assert "TARGET_PACKETS_INCOMPLETE: " in run.stdout
    assert names(run) == OURS | {"target_packets"}
    manifest = json.loads(run.text(f"{found.packets_dir}/manifest.json"))
    assert manifest["packet_bytes"] == 50_000


def test_what_a_failing_script_left_is_kept_aside_too(scratch: Path) -> None:
    run = review(scratch, "over the cap", "fails after writing")
    assert "TARGET_PACKETS_INCOMPLETE" in claim(run).warnings
    assert run.text("target_packets/packet_001.txt") == "half\n"


@pytest.mark.parametrize("codex", ["fails", "nothing", "a link"])
def test_a_script_that_left_nothing_is_no_warning(scratch: Path, codex: str) -> None:
    run = review(scratch, "over the cap", codex)
    assert claim(run).warnings == ("SIZE_CAP_EXCEEDED",)
    assert names(run) == OURS


def test_forged_files_are_neither_followed_nor_taken_over(scratch: Path) -> None:
    run = review(scratch, "forges")
    found = claim(run)
    assert names(run) == OURS
    assert "the target wrote size_cap_meta.json itself" in run.stdout
    assert not list((run.artifacts.parent / "home").iterdir())
    first = run.text(f"{found.packets_dir}/packet_001.txt")
    assert "approved" not in first.splitlines()


def test_a_claim_beside_a_bundle_that_fits_is_removed(scratch: Path) -> None:
    run = review(scratch, "forges and fits", change="one line\n")
    assert run.exit_code == 0
    assert names(run) == {"REVIEW_BUNDLE.txt"}


def test_names_of_the_repositorys_forge_no_line_of_the_output(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", review_bundle="over the cap")
    put(repo, "x\nSIZE_CAP_EXCEEDED: nothing to see\n", "x\n")
    commit_all(repo)
    run = run_wrapper("orb_review_bundle", repo, scratch)
    claim(run)
    for text in (run.stdout, run.text("REVIEW_BUNDLE.txt")):
        assert "\nSIZE_CAP_EXCEEDED: nothing" not in text


def test_a_packets_script_that_leaves_the_tree_is_not_run(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", review_bundle="over the cap", change=LINES)
    (repo / "ops/review_codex.sh").symlink_to("/bin/true")
    commit_all(repo)
    run = run_wrapper("orb_review_bundle", repo, scratch)
    assert claim(run).warnings == ("SIZE_CAP_EXCEEDED",)
    assert "SCRIPT_REFUSED: ops/review_codex.sh " in run.stdout
