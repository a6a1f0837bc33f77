"""What a job is measured against: the least that confining takes, and what people do by hand."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.ground import Ground, Repository
from benchmarks.table import NotMeasuredError
from tests.support.git_repos import git

NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-net"),
    *("--unshare-ipc", "--unshare-uts", "--unshare-cgroup"),
)
_INSIDE = "/tmp/job"


def bare_sandbox(
    ground: Ground, command: Path, tree: Path
) -> Callable[[], subprocess.CompletedProcess[bytes]]:
    """``command`` under a bare ``bwrap`` in the namespaces that a job has, and one round trip.

    The host's files read-only, a ``/proc``, a ``/dev`` and a ``/tmp`` of its own, nothing else: no
    record, no evidence, no limits.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise NotMeasuredError("bubblewrap isn't installed, so there is no floor")
    argv = (
        *(program, *NAMESPACES, "--die-with-parent", "--new-session"),
        *("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
        *("--ro-bind", str(tree), f"{_INSIDE}/tree", "--ro-bind", str(command), f"{_INSIDE}/run"),
        *("--chdir", f"{_INSIDE}/tree", f"{_INSIDE}/run"),
    )
    uid = ground.runner.job_uid  # null unless root

    def run() -> subprocess.CompletedProcess[bytes]:
        ground.client.ping()
        return subprocess.run(
            argv,
            env={"ARTIFACT_DIR": "/tmp"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            user=uid,
            group=uid,
            extra_groups=None if uid is None else (),
            check=True,
        )

    return run


def by_hand(ground: Ground, command: Path, repository: Repository) -> Callable[[], None]:
    """The usual way: a worktree a job, guarded by mode bits and looked at afterwards."""
    tree, artifacts = ground.folder / "by-hand", ground.folder / "by-hand-artifacts"
    environment = {"ARTIFACT_DIR": str(artifacts)}

    def run() -> None:
        artifacts.mkdir(exist_ok=True)
        git(repository.path, "worktree", "add", "-q", "--detach", str(tree), repository.sha)
        subprocess.run(("chmod", "-R", "a-w", str(tree)), check=True)
        subprocess.run((command,), cwd=tree, env=environment, capture_output=True, check=True)
        changed = git(tree, "status", "--porcelain", "--ignored")
        subprocess.run(("chmod", "-R", "u+w", str(tree)), check=True)
        git(repository.path, "worktree", "remove", "--force", str(tree))
        if changed:
            raise RuntimeError(f"the tree changed: {changed[:200]}")

    return run
