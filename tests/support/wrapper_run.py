"""Runs one wrapper as a job would: its environment, a read-only tree, no network.

Not the runner's sandbox, on purpose: what a wrapper needs is shown here without it. Where
bubblewrap works the tree is bound read-only; elsewhere the wrapper runs plainly.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.orb_repo import git

WRAPPERS = Path(__file__).resolve().parents[2] / "wrappers"
JOB_UID = 64999


@dataclass(frozen=True)
class WrapperRun:
    """How a wrapper ended, and what it left."""

    exit_code: int
    stdout: str
    stderr: str
    artifacts: Path

    def text(self, name: str) -> str:
        """One of the files that it left."""
        return (self.artifacts / name).read_text(encoding="utf-8", errors="backslashreplace")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that the job's uid can pass, which pytest's own isn't under root."""
    folder = Path(tempfile.mkdtemp(prefix="wrapper-run-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


@cache
def _prefix() -> tuple[str, ...]:
    """What starts a command on a tree that is read-only; empty where bubblewrap doesn't work.

    As root a job has another uid. That one may not reach this checkout or its interpreter (a
    clone in a private folder): then bubblewrap runs as root, which is enough for our own code.
    """
    sandbox = (
        *("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *("--unshare-net", "--unshare-pid", "--die-with-parent"),
    )
    ids = (f"--reuid={JOB_UID}", f"--regid={JOB_UID}", "--clear-groups")
    dropped = ("setpriv", *ids, "--", *sandbox)
    reach = f"import pytest, pathlib; pathlib.Path({str(WRAPPERS)!r}, 'local_echo.sh').read_bytes()"
    for prefix in (dropped, sandbox) if os.geteuid() == 0 else (sandbox,):
        probe = (*prefix, "--", sys.executable, "-I", "-c", reach)
        try:
            if subprocess.run(probe, capture_output=True, cwd="/").returncode == 0:
                return prefix
        except FileNotFoundError:
            return ()
    return ()


def confined() -> bool:
    """Whether wrappers run on a tree that the kernel keeps read-only here."""
    return bool(_prefix())


def run_wrapper(
    name: str,
    checkout: Path,
    scratch: Path,
    *,
    params: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> WrapperRun:
    """Runs ``wrappers/<name>.sh`` on the HEAD of ``checkout``.

    Args:
        name: Of the job type.
        checkout: A git repository with a clean tree.
        scratch: A folder from ``open_folder``; each run makes folders of its own in it.
        params: Admitted parameters.
        environment: Further variables, or other values of those that a job has.
    """
    place = Path(tempfile.mkdtemp(dir=scratch, prefix="run-"))
    folders = {key: place / key for key in ("artifacts", "tmp", "home")}
    params = dict(params or {})
    repo, sha, job_id = "orb", git(checkout, "rev-parse", "HEAD"), "20250102-030405-0123456789"
    for folder in folders.values():
        folder.mkdir()
    asked = {"job_id": job_id, "job_type": name, "repo_name": repo, "sha": sha, "params": params}
    (folders["artifacts"] / "params.json").write_text(json.dumps(asked) + "\n")
    if "setpriv" in _prefix():
        for path in (place, *folders.values()):
            os.chown(path, JOB_UID, JOB_UID)
    env = {
        "CI": "true",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "ARTIFACT_DIR": str(folders["artifacts"]),
        "TMPDIR": str(folders["tmp"]),
        "HOME": str(folders["home"]),
        "AIOPS_JOB_ID": job_id,
        "AIOPS_JOB_TYPE": name,
        "AIOPS_REPO": repo,
        "AIOPS_SHA": sha,
        "AIOPS_PYTHON": sys.executable,
        "AIOPS_RUNNER": str(WRAPPERS.parent),
        "AIOPS_WRAPPERS": str(WRAPPERS),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_CONFIG_KEY_1": "core.fsmonitor",
        "GIT_CONFIG_VALUE_1": "false",
        "GIT_OPTIONAL_LOCKS": "0",
        **{key.upper(): value for key, value in params.items()},
        **(environment or {}),
    }
    command = [str(WRAPPERS / f"{name}.sh")]
    if confined():
        binds = [part for path in folders.values() for part in ("--bind", str(path), str(path))]
        command = [*_prefix(), *binds, "--chdir", str(checkout), "--", *command]
    done = subprocess.run(
        command, cwd=checkout, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120
    )
    return WrapperRun(
        exit_code=done.returncode,
        stdout=done.stdout.decode("utf-8", "backslashreplace"),
        stderr=done.stderr.decode("utf-8", "backslashreplace"),
        artifacts=folders["artifacts"],
    )
