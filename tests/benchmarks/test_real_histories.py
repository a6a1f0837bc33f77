"""What comes from the package index is somebody else's: where it goes, and when it doesn't come."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from benchmarks.real_histories import unpack
from tests.support.git_repos import git, make_repo

ROOT = Path(__file__).parents[2]


def _archive(path: Path, *members: tuple[str, bytes, str, int]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for kind, content, name, mode in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind.encode(), mode
            if kind in "12":
                info.linkname = content.decode()
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_an_archive_leaves_its_folder_by_no_way(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", {"old": "x", "top": "y"})
    before = git(repo, "rev-parse", "HEAD")
    archive = _archive(
        tmp_path / "a.tar.gz",
        ("0", b"1", "p-1/src/a.py", 0o644),
        ("0", b"2", "p-1/run.sh", 0o755),
        ("0", b"evil", "p-1/../../outside", 0o644),
        ("0", b"evil", "/p-1/absolute", 0o644),
        ("0", b"evil", "p-1/.git/hooks/pre-commit", 0o755),
        ("2", b"..", "p-1/up", 0o777),
        ("0", b"through", "p-1/up/outside", 0o644),
        ("1", b"/etc/passwd", "p-1/hard", 0o644),
        ("6", b"", "p-1/fifo", 0o644),
        ("0", b"nothing below", "p-1", 0o644),
    )
    unpack(archive, repo)
    assert git(repo, "rev-parse", "HEAD") == before
    left = {path.relative_to(repo).as_posix() for path in repo.rglob("*") if path.is_file()}
    kept = {name for name in left if not name.startswith(".git/")}
    assert kept == {"src/a.py", "run.sh", "up/outside"}
    assert (repo / "run.sh").stat().st_mode & 0o111
    assert not list((repo / ".git").glob("hooks/*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "repo"]


def test_without_an_index_it_says_so_and_ends_with_3(tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "benchmarks.real_histories", "--folder", str(tmp_path)),
        cwd=ROOT,
        env={**os.environ, "PIP_NO_INDEX": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 3, done
    assert "can't be downloaded" in done.stderr
    assert list(tmp_path.iterdir()) == []
