"""The review job types through the whole runner: what they claim is in the record once proven."""

import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from runner.errors import RefusedError
from runner.model.artifact import Artifact
from runner.model.job import Status
from tests.support.orb_repo import LINES, build_orb_repo, git
from tests.support.workshop import Workshop
from tests.support.wrapper_run import WRAPPERS, open_folder
from tests.wrappers.test_review_bundle import LARGE

SHIPPED = yaml.safe_load((WRAPPERS.parent / "configs" / "job_allowlist.yaml").read_text())["jobs"]


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(autouse=True)
def shipped(workshop: Workshop) -> None:
    """The workshop has the shipped wrappers and job types, and one whose disk is soon full."""
    shutil.copytree(WRAPPERS, workshop.wrappers, dirs_exist_ok=True)
    for name in ("review_bundle", "orb_review_bundle"):
        workshop.job_types[name] = deepcopy(SHIPPED[name])
    workshop.job_types["small_disk"] = deepcopy(SHIPPED["review_bundle"])
    workshop.job_types["small_disk"]["limits"] = {"output_bytes": "128KiB"}
    workshop.add("echo", "echo hello")


def run(workshop: Workshop, name: str, repo: Path, **params: str) -> Artifact:
    head = git(repo, "rev-parse", "HEAD")
    artifact = workshop.execute(workshop.submit(name, repo=repo, sha=head, params=params))
    workshop.check(artifact)
    return artifact


def assert_packets(artifact: Artifact, archive: str) -> None:
    """The record says what was proven, and where it is."""
    assert (artifact.status, artifact.exit_code) == (Status.SUCCESS, 0), artifact
    assert artifact.size_cap_exceeded
    assert artifact.warnings[0] == "SIZE_CAP_EXCEEDED"
    assert artifact.review_packets_archive == f"outputs/{archive}"
    paths = {output.path for output in artifact.outputs}
    assert artifact.review_packets_archive in paths
    assert f"{artifact.review_packets_dir}/manifest.json" in paths
    assert artifact.size_cap_fallback is not None


def test_a_change_under_the_cap_is_a_bundle(workshop: Workshop, scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", change="one line\n")
    artifact = run(workshop, "review_bundle", repo)
    assert (artifact.status, artifact.size_cap_exceeded) == (Status.SUCCESS, False)
    assert artifact.warnings == ()
    assert "+one line\n" in workshop.output(artifact, "REVIEW_BUNDLE.txt")


def test_a_change_over_the_cap_is_packets_that_are_proven(
    workshop: Workshop, scratch: Path
) -> None:
    repo = build_orb_repo(scratch / "orb", change=LARGE)
    artifact = run(workshop, "review_bundle", repo)
    assert_packets(artifact, "REVIEW_PACKETS.tar.gz")
    assert artifact.warnings == ("SIZE_CAP_EXCEEDED",)


def test_the_base_of_the_parameter_is_the_base_of_the_packets(
    workshop: Workshop, scratch: Path
) -> None:
    repo = build_orb_repo(scratch / "orb", change=LARGE)
    since = git(repo, "rev-list", "--max-parents=0", "HEAD")
    artifact = run(workshop, "review_bundle", repo, since_sha=since)
    assert artifact.size_cap_fallback is not None
    assert artifact.size_cap_fallback.since_sha == since


def test_an_unknown_base_fails_the_job(workshop: Workshop, scratch: Path) -> None:
    artifact = run(workshop, "review_bundle", build_orb_repo(scratch / "orb"), since_sha="f" * 40)
    assert (artifact.status, artifact.exit_code) == (Status.FAILURE, 2)
    assert "RANGE_UNKNOWN" in workshop.log(artifact)


def test_a_target_over_its_cap_gets_packets_of_ours(workshop: Workshop, scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", review_bundle="over the cap", change=LINES)
    assert_packets(run(workshop, "orb_review_bundle", repo), "ORB_REVIEW_PACKETS.tar.gz")


@pytest.mark.parametrize(
    ("codex", "warnings"),
    [
        ("complete", ("SIZE_CAP_EXCEEDED",)),
        ("one byte changed", ("SIZE_CAP_EXCEEDED", "TARGET_PACKETS_INCOMPLETE")),
    ],
)
def test_a_targets_own_packets_are_in_the_record_only_if_they_are_complete(
    workshop: Workshop, scratch: Path, codex: str, warnings: tuple[str, ...]
) -> None:
    repo = build_orb_repo(
        scratch / "orb", review_bundle="over the cap", review_codex=codex, change=LINES
    )
    artifact = run(workshop, "orb_review_bundle", repo)
    assert_packets(artifact, "ORB_REVIEW_PACKETS.tar.gz")
    assert artifact.warnings == warnings
    kept = any(output.path.startswith("outputs/target_packets/") for output in artifact.outputs)
    assert kept == (codex != "complete")


def test_a_target_that_forges_the_claim_gets_what_is_true(
    workshop: Workshop, scratch: Path
) -> None:
    repo = build_orb_repo(scratch / "orb", review_bundle="forges", change=LINES)
    assert_packets(run(workshop, "orb_review_bundle", repo), "ORB_REVIEW_PACKETS.tar.gz")


def test_a_target_that_goes_on_writing_over_the_packets_fails_its_own_job(
    workshop: Workshop, scratch: Path
) -> None:
    """Who wins the race is chance; that nothing false gets into the record isn't."""
    repo = build_orb_repo(scratch / "orb", review_bundle="goes on writing", change=LINES)
    artifact = run(workshop, "orb_review_bundle", repo)
    assert (artifact.status, artifact.size_cap_exceeded) == (Status.FAILURE, False)


def test_a_full_disk_is_a_failure_that_claims_nothing(workshop: Workshop, scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", change=LARGE)
    artifact = run(workshop, "small_disk", repo)
    assert artifact.status is not Status.SUCCESS
    assert not artifact.size_cap_exceeded
    # under Landlock the disk isn't the job's own: it is full only once that was measured
    if workshop.environment["AIOPS_SANDBOX_BACKENDS"] == "bubblewrap":
        assert artifact.exit_code == 3
        assert "No space left on device" in workshop.log(artifact)
        assert [output.path for output in artifact.outputs] == ["outputs/params.json"]


def test_no_parameter_sets_the_switch_that_forces_packets(
    workshop: Workshop, scratch: Path
) -> None:
    repo = build_orb_repo(scratch / "orb")
    for name in ("FORCE_SIZE_CAP", "force_size_cap"):
        with pytest.raises(RefusedError) as refusal:
            run(workshop, "orb_review_bundle", repo, **{name: "1"})
        assert refusal.value.code == "PARAM_UNKNOWN"
