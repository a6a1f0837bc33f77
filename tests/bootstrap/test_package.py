"""Jobs that need Python see the runner's own package, wherever this program lies."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.git_repos import git, make_repo

ROOT = Path(__file__).resolve().parents[2]


def _copy(folder: Path) -> None:
    shutil.copytree(
        ROOT / "runner", folder / "runner", ignore=shutil.ignore_patterns("__pycache__")
    )


def _run(
    python: Path, folder: Path, backend: str, *, home: Path | None = None, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """``runner run review_bundle`` on a small repository in ``folder``."""
    repo = make_repo(folder / "repo", files={"README.md": "a repository\n"})
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(runtime),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AIOPS_STATE_DIR": str(folder / "state"),
        "AIOPS_CONFIG_DIR": str(ROOT / "configs"),
        "AIOPS_WRAPPERS_DIR": str(ROOT / "wrappers"),
        "AIOPS_SANDBOX_BACKENDS": backend,
        **({} if home is None else {"PYTHONPATH": str(home)}),
        **settings,
    }
    sha = git(repo, "rev-parse", "HEAD")
    command = ("run", "review_bundle", "--repo", str(repo), "--sha", sha, "--json")
    return subprocess.run(
        [str(python), "-m", "runner", *command],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def _assert_success(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["status"] == "success"


def test_a_package_in_a_folder_of_its_own_is_bound(state_dir: Path, backend_name: str) -> None:
    home = state_dir / "home"
    _copy(home)
    _assert_success(_run(Path(sys.executable), state_dir, backend_name, home=home))


@pytest.mark.needs_root
def test_a_package_below_a_private_folder_is_reached_by_another_uid(
    state_dir: Path, backend_name: str
) -> None:
    private = state_dir / "private"
    private.mkdir(mode=0o700)
    _copy(private / "home")
    _assert_success(_run(Path(sys.executable), state_dir, backend_name, home=private / "home"))
    assert private.stat().st_mode & 0o777 == 0o700


def test_an_installed_package_is_seen_with_its_prefix(state_dir: Path, backend_name: str) -> None:
    prefix = state_dir / "installed"
    venv.create(prefix, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(prefix)}))
    _copy(packages)
    # what the program itself needs; a job that sees the prefix alone doesn't
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    _assert_success(_run(prefix / "bin" / "python", state_dir, backend_name))


def test_the_state_may_not_lie_in_the_package(state_dir: Path) -> None:
    home = state_dir / "home"
    _copy(home)
    state = str(home / "runner" / "state")
    done = _run(Path(sys.executable), state_dir, "landlock", home=home, AIOPS_STATE_DIR=state)
    assert done.returncode == 2
    assert "STATE_DIR_UNUSABLE" in done.stderr
