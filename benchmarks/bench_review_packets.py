"""Packets of a large diff, against ``git diff`` with the same options writing it to a file."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.ground import ROOT, Ground, Scale
from benchmarks.table import Row, interleaved, seconds
from runner.adapters.git.ranges import PATCH_OPTIONS
from tests.support.git_repos import git, git_bytes

_MEGABYTES = 100
_FILES_A_MEGABYTE = 21
_LINES = 1500
_WORDS = (
    *("def", "return", "import", "self", "value", "for", "in", "range", "if", "else"),
    *("try", "except", "print", "config", "path", "name", "result", "data", "index"),
)


def measure(ground: Ground, scale: Scale) -> Iterator[Row]:
    megabytes = min(_MEGABYTES, max(1, scale.megabytes // 4))
    repo = ground.folder / "packets-repository"
    base, head = _make_repository(repo, megabytes * _FILES_A_MEGABYTE)
    told: list[dict[str, Any]] = []
    diff = ground.folder / "git.diff"
    taken = interleaved(
        {
            "theirs": lambda: seconds(lambda: _git_diff(repo, base, head, diff)),
            "ours": lambda: _once(ground.folder, repo, base, head, told),
        },
        rounds=scale.big,
    )
    size = diff.stat().st_size / 1e6
    diff.unlink()
    what = f"a diff of {size:,.0f} MB"
    against = "git diff to a file"
    yield Row(
        f"review packets, {what}",
        taken["ours"] * 1000,
        taken["theirs"] * 1000,
        "ms",
        against,
        goal=2,
        note=f"{told[-1]['packets']:,} packets, a manifest and an archive",
    )
    peaks = {key: max(each[key] for each in told) for key in told[0]}
    for name, doing in (("built", "building them"), ("proven", "proving them as well")):
        yield Row(
            f"memory for {doing}, {what}",
            peaks[f"{name}_mb"],
            peaks[f"{name}_git_mb"],
            "MB",
            "the largest git that it started, at most",
            most=150,
        )
    proven = sorted(each["proven_s"] for each in told)[len(told) // 2]
    yield Row(f"the proof, {what}", proven * 1000, taken["theirs"] * 1000, "ms", against)


def _git_diff(repo: Path, base: str, head: str, into: Path) -> None:
    with into.open("wb") as file:
        command = ("git", "-C", str(repo), "diff", *PATCH_OPTIONS, base, head, "--")
        subprocess.run(command, stdout=file, check=True)


def _once(below: Path, repo: Path, base: str, head: str, told: list[dict[str, Any]]) -> float:
    """How long building took; the folder stays until the ground goes.

    ext4 doesn't give an inode out again for some seconds after a file was removed, and looks past
    all of those for each new file: a round that cleaned up made the next one take twice as long.
    """
    folder = Path(tempfile.mkdtemp(prefix="packets-", dir=below))
    argv = (sys.executable, "-m", "benchmarks.packets_once", str(repo / ".git" / "objects"))
    done = subprocess.run(
        (*argv, base, head, str(folder)),
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=True,
    )
    told.append(json.loads(done.stdout))
    return float(told[-1]["built_s"])


def _make_repository(path: Path, files: int) -> tuple[str, str]:
    """Two commits: files of source, then eight of each thirty lines replaced in all of them."""
    dice = random.Random(2)
    pool = [
        b"    " * dice.randint(0, 3)
        + " ".join(dice.choices(_WORDS, k=dice.randint(3, 10))).encode()
        for _ in range(20_000)
    ]
    path.mkdir()
    git(path, "init", "-q", "-b", "main", "--template=")
    before = {b"d%d/f%d.py" % (n % 30, n): dice.choices(pool, k=_LINES) for n in range(files)}
    after = {
        name: [dice.choice(pool) if at % 30 < 8 else line for at, line in enumerate(lines)]
        for name, lines in before.items()
    }
    for parent, lines_of in ((b"", before), (b"from refs/heads/main^0\n", after)):
        parts = [b"commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\n"]
        parts.append(b"data 0\n" + parent)
        for name, lines in lines_of.items():
            body = b"\n".join(lines) + b"\n"
            parts.append(b"M 100644 inline %s\ndata %d\n%s\n" % (name, len(body), body))
        git_bytes(path, "fast-import", "--quiet", stdin=b"".join(parts))
    git(path, "repack", "-a", "-d", "-f", "-q")  # fast-import's own chains are slow to read
    return git(path, "rev-parse", "main^"), git(path, "rev-parse", "main")
