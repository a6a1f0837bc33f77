"""Attacks on the tree and its git directory from inside a job, under every backend."""

import pytest

from runner.adapters.sandbox.backend import probe_name
from runner.model.job import Status
from tests.support.git_repos import Content, Link, git, make_repo
from tests.support.workshop import TREE, Workshop

WRITES = {
    "undo_chmod_then_edit": "chmod -R u+w . ; echo evil >> README.md",
    "edit_and_restore": "cp README.md $TMPDIR/k; echo evil >> README.md && cp $TMPDIR/k README.md",
    "replace_by_rename": "echo evil > $TMPDIR/n; mv $TMPDIR/n README.md",
    "create_ignored_file": "echo evil > ignored.pyc",
    "create_in_the_root": "echo evil > new; mkdir newdir",
    "remove": "rm -f README.md; rm -rf src",
    "replace_git_file": "rm -f .git; mkdir .git",
    "hard_link_and_write": "ln README.md $ARTIFACT_DIR/l && echo evil >> $ARTIFACT_DIR/l",
    "symlink_and_write": "ln -s $PWD/README.md $ARTIFACT_DIR/l; echo evil >> $ARTIFACT_DIR/l",
    "same_size_and_time": "t=$(stat -c %y README.md); printf X | dd of=README.md conv=notrunc; "
    'touch -d "$t" README.md',
    "truncate": ": > README.md",
    "set_time": "touch -d 2001-01-01 README.md",
    "set_mode": "chmod 777 README.md src",
    "through_proc": "echo evil >> /proc/self/cwd/README.md",
    "bind_over": "mount --bind $TMPDIR .; unshare -rm mount --bind $TMPDIR .",
    "remount": "mount -o remount,rw . ; mount -o remount,rw / ; unshare -rm mount -o remount,rw .",
}

GIT = {
    "commit": "git -c user.name=x -c user.email=x@x commit --allow-empty -m evil",
    "add": "git add -A",
    "move_head": "git checkout -f HEAD~0; git update-ref HEAD HEAD; git reset --hard",
    "assume_unchanged": "git update-index --assume-unchanged README.md",
    "skip_worktree": "git update-index --skip-worktree README.md",
    "config_filemode": "git config core.fileMode false",
    "config_trustctime": "git config core.trustctime false",
    "config_excludes": "git config core.excludesFile $TMPDIR/x",
    "config_untracked": "git config status.showUntrackedFiles no",
    "info_exclude": "echo '*' >> ../git/info/exclude; mkdir -p ../git/info",
    "plant_fsmonitor": "git config core.fsmonitor 'touch /tmp/pwned; sleep 60'",
    "plant_hooks_path": "git config core.hooksPath $TMPDIR",
    "plant_hook": "mkdir -p ../git/hooks; echo 'touch /tmp/pwned' > ../git/hooks/post-checkout",
    "plant_uploadpack": "git config remote.origin.uploadpack 'touch /tmp/pwned'",
    "plant_textconv": "git config diff.x.textconv 'touch /tmp/pwned'; echo '* diff=x' > "
    ".gitattributes",
    "plant_filter": "git config filter.x.clean 'touch /tmp/pwned'",
    "replace_object": "git replace HEAD HEAD",
    "write_object": "echo evil | git hash-object -w --stdin",
    "write_into_the_object_store": "o=$(cat ../git/objects/info/alternates); "
    "echo evil > ../objects/evil; echo evil > ../git/objects/$o/evil",
    "prune_the_mirror": "rm -rf ../objects/pack ../objects/??",
    "write_wrapper": 'echo evil >> "$AIOPS_WRAPPERS"/*.sh',
}


@pytest.mark.parametrize("attack", WRITES.values(), ids=WRITES.keys())
def test_the_tree_stays_as_it_was(workshop: Workshop, attack: str) -> None:
    artifact = workshop.run(f"{attack}\ncat README.md > $ARTIFACT_DIR/seen\nexit 0")
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert all(value is True for _, value in artifact.invariants)
    assert artifact.changed_files == ()
    assert workshop.output(artifact, "seen") == TREE["README.md"]


@pytest.mark.parametrize("attack", GIT.values(), ids=GIT.keys())
def test_the_git_directory_stays_as_it_was(workshop: Workshop, attack: str) -> None:
    artifact = workshop.run(f"{attack}\ngit status --porcelain --ignored\ngit rev-parse HEAD")
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert all(value is True for _, value in artifact.invariants)
    assert workshop.log(artifact).splitlines()[-1] == workshop.sha


def test_the_next_job_on_the_commit_sees_what_was_committed(workshop: Workshop) -> None:
    workshop.run("\n".join((*WRITES.values(), *GIT.values(), "true")))
    artifact = workshop.run("cat README.md; git status --porcelain -uall --ignored; git log -1")
    assert workshop.log(artifact).startswith(TREE["README.md"] + "commit ")


PLANTED: dict[str, dict[str, Content]] = {
    "link_to_a_device": {".aiops-write-probe": Link("/dev/null")},
    "link_to_tmp": {".aiops-write-probe": Link("/tmp/x")},
    "folder": {".aiops-write-probe/x": "x"},
}


@pytest.mark.parametrize("files", PLANTED.values(), ids=PLANTED.keys())
def test_a_commit_has_no_say_in_the_evidence(workshop: Workshop, files: dict[str, Content]) -> None:
    """Named like the file that the prologue tries to make, a link would make a write succeed."""
    repo = make_repo(workshop.folder / f"planted-{len(list(workshop.folder.iterdir()))}", files)
    workshop.add("look", "ls -A")
    sha = git(repo, "rev-parse", "HEAD")
    artifact = workshop.execute(workshop.submit("look", sha=sha, repo=repo))
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert artifact.invariants.read_only_ok is True


def test_nobody_can_know_what_the_prologue_tries_to_make() -> None:
    assert len({probe_name() for _ in range(100)}) == 100


STILL_ALLOWED = {
    "status": "git status --porcelain",
    "log": "git log --oneline -1",
    "show": "git show --stat HEAD",
    "diff": "git diff HEAD",
    "rev_list": "git rev-list HEAD",
    "blame": "git blame README.md",
    "ls_files": "git ls-files",
    "read_tree": "cat README.md src/app.py",
    "run_from_tree": "bash run.sh",
    "write_artifacts": "echo fine > $ARTIFACT_DIR/out && test -s $ARTIFACT_DIR/out",
    "write_tmp": "echo fine > $TMPDIR/x && mkdir -p $TMPDIR/a/b && mv $TMPDIR/x $TMPDIR/a/b/y",
    "write_home": "echo fine > $HOME/.rc && rm $HOME/.rc",
    "pipes": "seq 100 | sort -n | tail -1 | grep 100",
    "here_document": "cat <<X | grep fine\nfine\nX",
}


@pytest.mark.parametrize("allowed", STILL_ALLOWED.values(), ids=STILL_ALLOWED.keys())
def test_still_allows(workshop: Workshop, allowed: str) -> None:
    artifact = workshop.run(f"set -e\n{allowed}")
    assert artifact.exit_code == 0, workshop.log(artifact, "stderr")
