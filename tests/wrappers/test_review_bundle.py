"""``review_bundle``: all of a change, in one file or in packets, and a base that is said."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.policy.packets import meta
from tests.support.orb_repo import build_orb_repo, commit_all, git, put
from tests.support.wrapper_run import WrapperRun, open_folder, run_wrapper

LARGE = "".join(f"line {number} of a large change\n" for number in range(9000))
PACKET_FILES = {"manifest.json", "CHANGED_FILES.txt", "HOW_TO_PASTE.txt"}


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def bundle(repo: Path, scratch: Path, since: str = "") -> WrapperRun:
    return run_wrapper("review_bundle", repo, scratch, params={"since_sha": since} if since else {})


def names(run: WrapperRun) -> set[str]:
    """What it left in its folder."""
    return {path.name for path in run.artifacts.iterdir()} - {"params.json"}


def test_a_small_change_is_one_file_that_holds_it(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", change="a line that was added\n")
    run = bundle(repo, scratch)
    assert run.exit_code == 0, run.stdout + run.stderr
    assert names(run) == {"REVIEW_BUNDLE.txt"}
    text = run.text("REVIEW_BUNDLE.txt")
    assert "+a line that was added\n" in text
    assert git(repo, "rev-parse", "HEAD") in text
    size = (run.artifacts / "REVIEW_BUNDLE.txt").stat().st_size
    assert f"REVIEW_BUNDLE.txt: {size} bytes of 204800 allowed" in run.stdout


def test_a_large_change_is_packets_and_a_claim_that_names_them(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb", change=LARGE)
    run = bundle(repo, scratch)
    assert run.exit_code == 0, run.stdout + run.stderr
    assert "SIZE_CAP_EXCEEDED: " in run.stdout
    claim = meta.from_json((run.artifacts / meta.NAME).read_bytes())
    assert names(run) == {
        *("REVIEW_BUNDLE.txt", "README_REVIEW_PACKETS.txt", "REVIEW_PACKETS.tar.gz"),
        *("review_packets", "size_cap_meta.json"),
    }
    assert run.text("REVIEW_BUNDLE.txt").startswith("SIZE_CAP_EXCEEDED\n")
    folder = run.artifacts / claim.packets_dir
    packets = {f"packet_{number:03}.txt" for number in range(1, claim.packet_count + 1)}
    assert {path.name for path in folder.iterdir()} == packets | PACKET_FILES
    assert max(path.stat().st_size for path in folder.glob("packet_*")) <= 50_000
    with tarfile.open(run.artifacts / claim.archive_name) as archive:
        assert {member.name for member in archive} == {
            f"review_packets/{name}" for name in packets | PACKET_FILES
        }


def test_the_base_is_the_parameter_if_there_is_one(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    since = git(repo, "rev-parse", "HEAD")
    put(repo, "new.txt", "new\n")
    head = commit_all(repo)
    run = bundle(repo, scratch, since)
    assert f"range {since}..{head}; the base is from the parameter since_sha" in run.stdout
    assert "LAST_REVIEWED_SHA" not in run.text("REVIEW_BUNDLE.txt")


def test_else_the_base_is_the_one_that_the_marker_names(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    since = (repo / "docs/LAST_REVIEWED_SHA.txt").read_text().strip()
    run = bundle(repo, scratch)
    assert f"range {since}.." in run.stdout
    assert "the base is from docs/LAST_REVIEWED_SHA.txt\n" in run.stdout


@pytest.mark.parametrize("marker", [None, "HEAD\n", "f" * 40 + "\n"])
def test_else_it_is_the_root_commit_and_it_is_said_why(scratch: Path, marker: str | None) -> None:
    repo = build_orb_repo(scratch / "orb")
    if marker is None:
        (repo / "docs/LAST_REVIEWED_SHA.txt").unlink()
    else:
        put(repo, "docs/LAST_REVIEWED_SHA.txt", marker)
    commit_all(repo)
    root = git(repo, "rev-list", "--max-parents=0", "HEAD")
    run = bundle(repo, scratch)
    assert run.exit_code == 0
    assert f"range {root}.." in run.stdout
    assert "the base is from the root commit, for " in run.stdout


@pytest.mark.parametrize(
    ("since", "why"),
    [("f" * 40, "RANGE_UNKNOWN"), ("HEAD~1", "RANGE_UNKNOWN"), ("--all", "RANGE_UNKNOWN")],
)
def test_an_unknown_base_is_said_and_makes_nothing(scratch: Path, since: str, why: str) -> None:
    run = bundle(build_orb_repo(scratch / "orb"), scratch, since)
    assert run.exit_code == 2
    assert why in run.stdout
    assert names(run) == set()


def test_a_base_beside_the_history_is_refused(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    git(repo, "checkout", "--quiet", "-b", "aside", "HEAD~1")
    aside = commit_all(repo)
    git(repo, "checkout", "--quiet", "main")
    run = bundle(repo, scratch, aside)
    assert (run.exit_code, "BASE_NOT_ANCESTOR" in run.stdout) == (2, True)


def test_no_change_at_all_is_a_bundle_that_says_so(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    run = bundle(repo, scratch, git(repo, "rev-parse", "HEAD"))
    assert run.exit_code == 0
    assert "0 changed files" in run.stdout
    assert names(run) == {"REVIEW_BUNDLE.txt"}


def test_the_repositorys_attributes_and_configuration_hide_nothing(scratch: Path) -> None:
    repo = build_orb_repo(scratch / "orb")
    put(repo, ".gitattributes", "*.py -diff\n")
    put(repo, "backdoor.py", "import backdoor\n")
    commit_all(repo)
    git(repo, "config", "diff.external", "/bin/true")
    git(repo, "config", "core.attributesFile", "/dev/null")
    assert "+import backdoor\n" in bundle(repo, scratch).text("REVIEW_BUNDLE.txt")
