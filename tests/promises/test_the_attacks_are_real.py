"""The naive twin: with nothing in their way, the attacks of the other files here really work.

A test that an attack is stopped shows nothing if the attack wouldn't work anyway. Here the same
attacks run without a sandbox, as an ordinary user on files of their own: they do harm, and what
they do to a tree is found out and reported.
"""

import os
import select
import signal

import pytest

from runner.model.artifact import Artifact
from runner.model.job import Reason, Status, Warn
from runner.policy.confinement import ATTACKS
from tests.promises.test_a_job_cannot_change_the_tree import GIT, WRITES
from tests.support.git_repos import git, make_repo
from tests.support.workshop import TREE, Workshop

WORKSHOP_BACKENDS = ("none",)

# A private mount namespace is all that an ordinary user can mount in: it harms nobody else.
HARMLESS_WITHOUT_ROOT = {"bind_over", "remount"}
HARMFUL = {name: script for name, script in WRITES.items() if name not in HARMLESS_WITHOUT_ROOT}
# What git itself would do to a tree and a git directory that are its own.
HARMFUL_GIT = {
    "add": f"echo new > new.txt; {GIT['add']}",
    "info_exclude": "mkdir -p ../git/info; echo '*' >> ../git/info/exclude",
    **{
        name: GIT[name]
        for name in (
            *("commit", "assume_unchanged", "skip_worktree", "config_filemode"),
            *("plant_fsmonitor", "plant_hooks_path", "plant_hook", "plant_uploadpack"),
            *("plant_textconv", "plant_filter"),
        )
    },
}


def found_out(workshop: Workshop, artifact: Artifact) -> None:
    """Fails unless the record says what happened to the tree."""
    workshop.check(artifact)
    assert (artifact.status, artifact.reason) == (Status.FAILURE, Reason.MUTATION_DETECTED)
    assert artifact.changed_files
    assert artifact.invariants.read_only_ok is False
    assert artifact.invariants.clean_tree_ok is False
    assert Warn.SANDBOX_DISABLED in artifact.warnings


def the_next_job_is_unharmed(workshop: Workshop) -> None:
    """Fails unless the changed checkout was taken away, and another one is as committed."""
    artifact = workshop.run(
        "cat README.md; git status --porcelain; git rev-parse HEAD", name="next"
    )
    assert workshop.log(artifact) == f"{TREE['README.md']}{workshop.sha}\n"
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert any(workshop.runner.paths.quarantine.iterdir())


@pytest.mark.needs_ordinary_user
@pytest.mark.parametrize("attack", HARMFUL.values(), ids=HARMFUL.keys())
def test_a_write_into_the_tree_works_and_is_found_out(workshop: Workshop, attack: str) -> None:
    found_out(workshop, workshop.run(f"{attack}\nexit 0"))
    the_next_job_is_unharmed(workshop)


@pytest.mark.needs_ordinary_user
@pytest.mark.parametrize("attack", HARMFUL_GIT.values(), ids=HARMFUL_GIT.keys())
def test_a_write_into_the_git_directory_works_and_is_found_out(
    workshop: Workshop, attack: str
) -> None:
    artifact = workshop.run(f"{attack}\nexit 0")
    found_out(workshop, artifact)
    assert artifact.invariants.head_unmoved_ok is False
    the_next_job_is_unharmed(workshop)


@pytest.mark.needs_ordinary_user
def test_every_attack_of_the_probe_works(workshop: Workshop) -> None:
    findings = workshop.runner.probe(*workshop.runner.backends())
    assert findings.error == ""
    assert set(findings.attempts) == {attack for attacks in ATTACKS.values() for attack in attacks}
    assert [name for name, refused in findings.attempts.items() if refused] == []


@pytest.mark.needs_root
def test_every_attack_of_the_probe_works_but_those_that_another_uid_prevents(
    workshop: Workshop,
) -> None:
    findings = workshop.runner.probe(*workshop.runner.backends())
    refused = {name for name, refused in findings.attempts.items() if refused}
    assert refused == {*ATTACKS["fs_write"], *ATTACKS["fs_meta"], "runner_secret"}


def test_a_record_without_a_sandbox_promises_nothing(workshop: Workshop) -> None:
    artifact = workshop.run("echo harmless; echo out > $ARTIFACT_DIR/out")
    workshop.check(artifact)
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert artifact.warnings == (Warn.SANDBOX_DISABLED, Warn.INVARIANT_NOT_ESTABLISHED)
    invariants = artifact.invariants
    assert (invariants.read_only_ok, invariants.no_push_ok) == (None, None)
    assert invariants.no_orphans_ok is None
    assert artifact.sandbox is not None
    assert artifact.sandbox.confinement.level == 0
    assert workshop.output(artifact, "out") == "out\n"


def test_a_daemon_outlives_its_job(workshop: Workshop) -> None:
    """And the record doesn't say that nothing is alive."""
    daemon_itself = "echo $$ > $ARTIFACT_DIR/pid; exec sleep 300"
    artifact = workshop.run(
        f"setsid bash -c '{daemon_itself}' >/dev/null 2>&1 &\n"
        "until [ -s $ARTIFACT_DIR/pid ]; do sleep 0.01; done"
    )
    daemon = os.pidfd_open(int(workshop.output(artifact, "pid")))
    try:
        assert artifact.invariants.no_orphans_ok is None
        assert not select.select([daemon], [], [], 0)[0]
    finally:
        signal.pidfd_send_signal(daemon, signal.SIGKILL)
        os.close(daemon)


@pytest.mark.needs_ordinary_user
def test_a_mirror_can_be_emptied(workshop: Workshop) -> None:
    """No part of a checkout, so no snapshot tells of it: it is the sandbox that prevents this."""
    lonely = make_repo(workshop.folder / "lonely", {"a": "a"})
    workshop.add("empties", "chmod -R u+w ../objects/; rm -rf ../objects/pack ../objects/??")
    sha = git(lonely, "rev-parse", "HEAD")
    artifact = workshop.execute(workshop.submit("empties", repo=lonely, sha=sha))
    workshop.check(artifact)
    mirror = workshop.runner.mirrors.open(str(lonely), local=True)
    assert not list(mirror.objects.glob("[0-9a-fp]*"))
    assert Warn.SANDBOX_DISABLED in artifact.warnings
    assert artifact.invariants.read_only_ok is None
