"""What a job or a repository leaves behind neither stops the runner nor stays in its way."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.adapters.signing import Signer, load_or_create
from runner.bootstrap.upkeep import keeping
from runner.flows.collect_garbage import collect_garbage
from runner.flows.verify import verify
from runner.model.job import Reason, Status
from runner.model.strict_json import parse_object
from runner.model.verification import Verdict
from tests.support import records
from tests.support.folders import remove_sealed
from tests.support.git_repos import commit, commit_tree, git, make_repo, write_object, write_tree
from tests.support.workshop import Workshop

LEVELS = 1500  # more than Python has stack frames, or a process descriptors; still a valid path

DEEP = f"""#!python
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.chdir(os.environ[os.environ["WHERE"]])
for _ in range({LEVELS}):
    os.mkdir("d")
    os.chdir("d")
os.chmod("..", 0o500)
"""
ONE_TOKEN = """#!python
import os
with open(os.environ["ARTIFACT_DIR"] + "/junit.xml", "w") as file:
    file.write('<testsuite tests="1"/>' if os.environ["SIZE"] == "0" else
               '<testsuite tests="1" name="' + "x" * int(os.environ["SIZE"]) + '"/>')
"""


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Ends the test run rather than let it hang for hours."""
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def everything_goes(workshop: Workshop) -> None:
    """Fails unless gc can remove all that may go, and every scratch folder is gone."""
    later = datetime.now(UTC) + timedelta(days=1000)
    for removal in collect_garbage(keeping(workshop.runner), now=later, dry_run=False):
        assert removal.done, removal
    assert list(workshop.runner.paths.scratch.iterdir()) == []


@pytest.mark.parametrize("where", ["TMPDIR", "HOME", "ARTIFACT_DIR"])
def test_folders_too_deep_for_a_stack(workshop: Workshop, where: str) -> None:
    artifact = workshop.run(DEEP, env={"WHERE": where})
    assert artifact.reason != Reason.INTERNAL_ERROR, artifact.detail
    workshop.check(artifact)
    everything_goes(workshop)


def test_a_tree_too_deep_for_a_stack_runs_and_is_evicted(workshop: Workshop) -> None:
    tree = write_tree(
        workshop.repo, [("100644", b"f", write_object(workshop.repo, "blob", b"fine\n"))]
    )
    for _ in range(LEVELS):
        tree = write_tree(workshop.repo, [("40000", b"d", tree)])
    sha = commit_tree(workshop.repo, tree, ref="refs/heads/deep")
    artifact = workshop.run("ls", sha=sha)
    assert (artifact.status, workshop.log(artifact)) == (Status.SUCCESS, "d\n"), artifact.detail
    everything_goes(workshop)


def test_a_ref_too_deep_for_a_stack_is_in_nobodys_way(workshop: Workshop) -> None:
    repo = make_repo(workshop.folder / "deep-refs", {"a": "1"})
    git(repo, "update-ref", "refs/heads/" + "a/" * LEVELS + "b", "HEAD")
    for number in range(2):  # the second one finds what the first one fetched
        sha = commit(repo, {"a": f"{number}"})
        artifact = workshop.execute(workshop.submit("echo", sha=sha, repo=repo))
        assert artifact.status is Status.SUCCESS, artifact.detail
    everything_goes(workshop)


def test_a_test_report_of_one_endless_token_is_read_in_one_go(workshop: Workshop) -> None:
    with no_longer_than(60):  # in pieces it takes minutes
        artifact = workshop.run(ONE_TOKEN, env={"SIZE": str(30 << 20)})
    workshop.check(artifact)
    assert artifact.tests is not None
    assert artifact.tests.tests == 1


def test_still_counts_an_ordinary_test_report(workshop: Workshop) -> None:
    artifact = workshop.run(ONE_TOKEN, env={"SIZE": "0"})
    assert artifact.tests is not None
    assert artifact.tests.passed == 1


def test_a_key_that_stands_twice_among_many_is_found_at_once() -> None:
    many = ",".join(f'"k{number}":1' for number in range(500_000))
    with no_longer_than(60), pytest.raises(ValueError, match="'k499999' stands twice"):
        parse_object(f'{{{many},"k499999":1}}'.encode())


# --- a folder that is handed to `runner verify`


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return load_or_create(tmp_path / "keys")


def _nest(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(2 * LEVELS):  # more than a path can name
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)


def _folder_for(name: str) -> Callable[[Path], None]:
    def replace(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return replace


HOSTILE = {
    "nested": _nest,
    **{
        f"folder_called_{name}": _folder_for(name)
        for name in ("artifact.json", "artifact.dsse.json", "SHA256SUMS", "plan.json", "stdout.log")
    },
    "deep_json": lambda folder: (folder / "artifact.json").write_text("[" * 10**6),
    "surrogate": lambda folder: (folder / "artifact.dsse.json").write_text(
        '{"payload": "", "payloadType": "\\ud800", "signatures": [{"sig": ""}]}'
    ),
}


@pytest.mark.parametrize("harm", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_folder_is_invalid_and_not_a_bug(
    tmp_path: Path, signer: Signer, harm: Callable[[Path], object]
) -> None:
    folder = records.sealed(tmp_path / "artifacts", signer).path
    harm(folder)
    try:
        assert verify(folder, records.trust(signer)).overall is Verdict.INVALID
    finally:
        remove_sealed(folder)
