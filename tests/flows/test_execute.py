"""Every ending of an accepted job has a status, a reason, and a record that can be believed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.adapters.git.mirrors import Mirror, Mirrors
from runner.adapters.job_folders import JobFolder
from runner.errors import UnavailableError
from runner.flows.confine import Chamber
from runner.model.artifact import Artifact
from runner.model.job import Reason, Status
from runner.model.sandbox import ConfinedCommand, Stop
from tests.support import machine
from tests.support.git_repos import commit, git, make_repo
from tests.support.workshop import Workshop

ROOT = Path(__file__).parents[2]

ENDINGS = {
    "success": ("exit 0", Status.SUCCESS, None, 0),
    "exit_code": ("exit 7", Status.FAILURE, Reason.EXIT_CODE, 7),
    "signal": ("kill -SEGV $$", Status.FAILURE, Reason.SIGNAL, 139),
    "command_not_found": ("exec /nonexistent", Status.FAILURE, Reason.EXIT_CODE, 127),
    "no_signal_has_this_number": ("exit 255", Status.FAILURE, Reason.EXIT_CODE, 255),
}

CANCEL = """
import sys
from datetime import UTC, datetime
import redis
from runner.adapters.job_store import JobStore
with redis.Redis.from_url(sys.argv[1]) as client:
    print(JobStore(client, prefix=sys.argv[2]).request_cancel(sys.argv[3], datetime.now(UTC)))
"""


@pytest.mark.parametrize(
    ("script", "status", "reason", "code"), ENDINGS.values(), ids=ENDINGS.keys()
)
def test_what_a_job_answers_becomes_its_status(
    workshop: Workshop, script: str, status: Status, reason: Reason | None, code: int
) -> None:
    artifact = workshop.run(script)
    workshop.check(artifact)
    assert (artifact.status, artifact.reason, artifact.exit_code) == (status, reason, code)
    assert all(held for _, held in artifact.invariants)
    assert artifact.changed_files == ()


def test_a_job_that_ran_too_long_is_ended(workshop: Workshop) -> None:
    artifact = workshop.run("echo begun; sleep 60", timeout_s=1)
    workshop.check(artifact)
    assert (artifact.status, artifact.reason) == (Status.TIMEOUT, Reason.TIMEOUT)
    assert workshop.log(artifact) == "begun\n"


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        (Stop.CANCELLED, Status.CANCELLED, Reason.CANCELLED),
        (Stop.LEASE_LOST, Status.ERROR, Reason.WORKER_LOST),
    ],
)
def test_a_job_that_is_to_stop_is_ended(
    workshop: Workshop, stop: Stop, status: Status, reason: Reason
) -> None:
    workshop.add("long", "sleep 60")
    artifact = workshop.execute(workshop.submit("long"), stop=stop)
    workshop.check(artifact)
    assert (artifact.status, artifact.reason) == (status, reason)


def test_another_process_cancels_a_running_job(workshop: Workshop) -> None:
    workshop.add("long", "echo running; sleep 60")
    folder = workshop.submit("long")
    said: list[str] = []

    def once_it_runs() -> None:
        if not said and folder.stdout.read_bytes() == b"running\n":
            said.append(cancel_from_elsewhere(workshop, folder.job_id))

    artifact = workshop.execute(folder, interrupted=once_it_runs)
    assert said == ["requested\n"]
    workshop.check(artifact)
    assert (artifact.status, artifact.reason) == (Status.CANCELLED, Reason.CANCELLED)
    job = workshop.store.get(folder.job_id)
    assert job is not None
    assert (job.status, job.reason) == (Status.CANCELLED, Reason.CANCELLED)


def cancel_from_elsewhere(workshop: Workshop, job_id: str) -> str:
    """Asks for the end of a job as ``runner cancel`` would."""
    url = f"unix://{workshop.client.connection_pool.connection_kwargs['path']}"
    done = subprocess.run(
        [sys.executable, "-c", CANCEL, url, f"workshop-{workshop.folder.name}", job_id],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def refused(workshop: Workshop, folder: JobFolder, **equipment: object) -> Artifact:
    """The record of a job whose own code never ran."""
    artifact = workshop.try_execute(folder, **equipment)  # type: ignore[arg-type]
    assert artifact is not None
    workshop.check(artifact)
    assert artifact.exit_code is None
    assert artifact.duration_ms is None
    assert all(held is None for _, held in artifact.invariants)
    assert artifact.logs.stdout.bytes == 0
    assert artifact.detail
    return artifact


def test_a_commit_that_is_nowhere_is_rejected(workshop: Workshop) -> None:
    artifact = refused(workshop, workshop.submit("echo", sha="1" * 40))
    assert (artifact.status, artifact.reason) == (Status.REJECTED, Reason.SHA_NOT_FOUND)
    assert "1" * 40 in artifact.detail


@pytest.mark.parametrize("kind", ["tree", "tag", "blob"])
def test_an_id_of_something_else_is_rejected(workshop: Workshop, kind: str) -> None:
    git(workshop.repo, "tag", "-a", "-f", "-m", "annotated", "v1")
    name = {"tree": "HEAD^{tree}", "tag": "v1", "blob": "HEAD:README.md"}[kind]
    folder = workshop.submit("echo", sha=git(workshop.repo, "rev-parse", name))
    artifact = refused(workshop, folder)
    assert (artifact.status, artifact.reason) == (Status.REJECTED, Reason.SHA_NOT_A_COMMIT)
    assert kind in artifact.detail


def test_a_commit_that_no_ref_reaches_any_more_is_rejected(workshop: Workshop) -> None:
    tree = git(workshop.repo, "rev-parse", "HEAD^{tree}")
    dangling = git(workshop.repo, "commit-tree", tree, "-m", "on no branch")
    artifact = refused(workshop, workshop.submit("echo", sha=dangling))
    assert artifact.status is Status.REJECTED
    assert artifact.reason in (Reason.SHA_NOT_ON_ALLOWED_BRANCH, Reason.SHA_NOT_FOUND)


class Nearby(Mirrors):
    """Mirrors whose remotes all lie at one path of this machine: fetched as over a network."""

    source: Path

    def open(self, remote_url: str, *, local: bool = False) -> Mirror:
        """The mirror of the repository that lies nearby."""
        assert not local
        assert remote_url.startswith("https://")
        return super().open(str(self.source), local=True)


@pytest.fixture
def listed(workshop: Workshop) -> Iterator[Nearby]:
    """The workshop's repository on the allowlist, with ``main`` as the one allowed branch."""
    url = "https://git.example.org/team/listed.git"
    workshop.allow("listed", url=url, allowed_branches=["main"], default_branch="main")
    paths = workshop.runner.paths
    mirrors = Nearby(paths.mirrors, paths.locks, workshop.runner.git)
    mirrors.source = workshop.repo
    yield mirrors
    mirrors.close()
    (workshop.configs / "repo_allowlist.yaml").write_text("version: 1\nrepos: {}\n")


def test_a_commit_on_no_allowed_branch_is_rejected(workshop: Workshop, listed: Nearby) -> None:
    tree = git(workshop.repo, "rev-parse", "HEAD^{tree}")
    elsewhere = git(workshop.repo, "commit-tree", tree, "-p", "HEAD", "-m", "unreviewed")
    git(workshop.repo, "update-ref", "refs/heads/wild", elsewhere)
    git(workshop.repo, "update-ref", "refs/pull/1/head", elsewhere)
    folder = workshop.submit("echo", sha=elsewhere, listed="listed")
    artifact = refused(workshop, folder, mirrors=listed)
    assert (artifact.status, artifact.reason) == (
        Status.REJECTED,
        Reason.SHA_NOT_ON_ALLOWED_BRANCH,
    )


def test_still_runs_a_commit_of_an_allowed_branch(workshop: Workshop, listed: Nearby) -> None:
    artifact = workshop.execute(workshop.submit("echo", listed="listed"), mirrors=listed)
    workshop.check(artifact)
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert artifact.remote_url == "https://git.example.org/team/listed.git"


def test_a_plan_that_was_edited_after_admission_is_rejected(workshop: Workshop) -> None:
    folder = workshop.submit("echo")
    edited = folder.plan().model_copy(update={"argv": ("/bin/bash", "-c", "echo evil")})
    (folder.path / "plan.json").write_text(edited.model_dump_json(indent=2) + "\n")
    artifact = refused(workshop, folder)
    assert (artifact.status, artifact.reason) == (Status.REJECTED, Reason.ALLOWLIST_CHANGED)


def test_a_shallow_repository_is_rejected_with_the_remedy(workshop: Workshop) -> None:
    commit(workshop.repo, {"more": "x"}, "second")
    shallow = workshop.folder / f"shallow-{len(list(workshop.folder.iterdir()))}"
    git(workshop.folder, "clone", "-q", "--depth=1", f"file://{workshop.repo}", str(shallow))
    folder = workshop.submit("echo", repo=shallow, sha=git(shallow, "rev-parse", "HEAD"))
    artifact = refused(workshop, folder)
    assert (artifact.status, artifact.reason) == (Status.REJECTED, Reason.SHALLOW_REPOSITORY)
    assert "--unshallow" in artifact.detail


def test_a_repository_that_is_gone_is_an_error(workshop: Workshop) -> None:
    gone = make_repo(workshop.folder / f"gone-{len(list(workshop.folder.iterdir()))}", {"a": "a"})
    folder = workshop.submit("echo", repo=gone, sha=git(gone, "rev-parse", "HEAD"))
    gone.rename(gone.with_name(f"{gone.name}-moved"))
    artifact = refused(workshop, folder)
    assert (artifact.status, artifact.reason) == (Status.ERROR, Reason.MIRROR_UNAVAILABLE)


def test_an_allowlist_that_changed_since_admission_is_rejected(workshop: Workshop) -> None:
    workshop.add("changing", "echo before")
    folder = workshop.submit("changing")
    workshop.add("changing", "echo before", timeout_s=29)
    artifact = refused(workshop, folder)
    assert (artifact.status, artifact.reason) == (Status.REJECTED, Reason.ALLOWLIST_CHANGED)


def test_a_wrapper_that_changed_since_admission_is_rejected(workshop: Workshop) -> None:
    workshop.add("changing", "echo before")
    folder = workshop.submit("changing")
    (workshop.wrappers / "changing.sh").write_text("#!/bin/bash\necho after\n")
    artifact = refused(workshop, folder)
    assert (artifact.status, artifact.reason) == (Status.REJECTED, Reason.ALLOWLIST_CHANGED)


def test_an_allowlist_that_broke_since_admission_is_an_error(workshop: Workshop) -> None:
    folder = workshop.submit("echo")
    allowlist = workshop.configs / "job_allowlist.yaml"
    whole = allowlist.read_text()
    allowlist.write_text("version: 1\njobs: {")
    try:
        artifact = refused(workshop, folder)
    finally:
        allowlist.write_text(whole)
    assert (artifact.status, artifact.reason) == (Status.ERROR, "CONFIG_INVALID")
    assert "job_allowlist.yaml" in artifact.detail


def test_a_job_that_needs_metadata_writes_is_told_where_it_cannot_have_them(
    workshop: Workshop,
) -> None:
    workshop.add("metadata", "chmod 600 $ARTIFACT_DIR/params.json", needs_metadata_writes=True)
    artifact = workshop.execute(workshop.submit("metadata"))
    backend = workshop.runner.chamber().confinement.backend
    if backend == "landlock" and not machine.is_root():
        assert (artifact.status, artifact.reason) == (
            Status.REJECTED,
            Reason.NEEDS_METADATA_WRITES,
        )
        assert "install bubblewrap" in artifact.detail
    else:
        assert artifact.status is Status.SUCCESS, artifact.detail
    workshop.check(artifact)


def test_no_sandbox_is_an_error_with_the_remedy(workshop: Workshop) -> None:
    def none_here() -> Chamber:
        raise UnavailableError("SANDBOX_UNAVAILABLE", "none", remedy="install bubblewrap")

    artifact = refused(workshop, workshop.submit("echo"), chamber=none_here)
    assert (artifact.status, artifact.reason) == (Status.ERROR, Reason.SANDBOX_UNAVAILABLE)
    assert "install bubblewrap" in artifact.detail


class Buggy:
    """A backend with a bug: it starts nothing, and what it raises is no error of ours."""

    name = "buggy"

    def start(self, command: ConfinedCommand) -> None:
        raise RuntimeError(f"{command.job_id} \x9b2J \u202e can't start")


def test_a_bug_of_our_own_is_an_error_and_not_a_silence(workshop: Workshop) -> None:
    confinement = workshop.runner.chamber().confinement

    def buggy() -> Chamber:
        return Chamber(Buggy(), confinement)  # type: ignore[arg-type]

    artifact = refused(workshop, workshop.submit("echo"), chamber=buggy)
    assert (artifact.status, artifact.reason) == (Status.ERROR, Reason.INTERNAL_ERROR)
    assert artifact.detail == f"RuntimeError: {artifact.job_id} \\x9b2J \\u202e can't start"
    assert workshop.run("echo fine").status is Status.SUCCESS


def test_a_job_that_was_cancelled_before_it_began_is_not_run(workshop: Workshop) -> None:
    workshop.add("marks", "echo ran > $ARTIFACT_DIR/ran")
    folder = workshop.submit("marks")
    cancel_from_elsewhere(workshop, folder.job_id)
    assert workshop.try_execute(folder) is None
    assert not (folder.path / "outputs").exists()


def test_a_job_that_somebody_executes_is_left_to_them(workshop: Workshop) -> None:
    folder = workshop.submit("echo")
    with folder.hold():
        assert workshop.try_execute(folder) is None
    assert workshop.execute(folder).status is Status.SUCCESS
    assert workshop.try_execute(folder) is None


def test_a_job_cancelled_before_it_began_never_starts(workshop: Workshop) -> None:
    workshop.add("long", "echo started; sleep 60")
    artifact = workshop.try_execute(workshop.submit("long"), lambda: Stop.CANCELLED)
    assert artifact is not None
    workshop.check(artifact)
    assert (artifact.status, artifact.reason) == (Status.CANCELLED, Reason.CANCELLED)
    assert artifact.exit_code is None
    assert workshop.log(artifact) == ""
