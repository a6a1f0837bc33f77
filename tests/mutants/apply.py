"""Puts committed defects into a copy of the program, one at a time: do the tests notice?

    python -m tests.mutants.apply [--only NAME]... [--list]

Each ``*.yaml`` here is an area; each entry names a defect, the file, the exact text that it
replaces and the tests that must then fail. The work tree is never touched: the copy lies in a
temporary folder. Exit codes: 0 every defect was noticed; 1 one lived, or an entry is out of date.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
AREAS = (
    "admission",
    "collection",
    "confinement",
    "invariants",
    "materialisation",
    "packets",
    "proof_of_death",
    "record_writing",
    "review_wrappers",
    "size_cap_claims",
)
AT_LEAST = 3
_TIME_LIMIT_S = 300

# pytest's exit codes: https://docs.pytest.org/en/stable/reference/exit-codes.html
_ALL_PASSED, _SOME_FAILED = 0, 1


@dataclass(frozen=True)
class Defect:
    """One thing that could be wrong with the program.

    Attributes:
        area: Which file of this folder it stands in.
        old: Text that occurs exactly once in ``file``.
        tests: Files or node ids, of which at least one must fail.
    """

    area: str
    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def read_defects(folder: Path) -> tuple[Defect, ...]:
    """All committed defects, by area.

    Raises:
        ValueError: two have one name.
    """
    defects = tuple(
        Defect(area=path.stem, **{**entry, "tests": tuple(entry["tests"])})
        for path in sorted(folder.glob("*.yaml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")) or ()
    )
    names = [defect.name for defect in defects]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two defects are called {', '.join(sorted(twice))}")
    return defects


def why_out_of_date(defect: Defect, text: str) -> str:
    """Why ``defect`` can't be put into ``text``; empty if it can."""
    count = text.count(defect.old)
    if count != 1:
        return f"{defect.file} holds its old text {count} times, expected once"
    return "" if defect.old != defect.new else "it changes nothing"


def thin_areas(defects: tuple[Defect, ...]) -> tuple[str, ...]:
    """Each area that has fewer defects than it should."""
    counts = {area: sum(defect.area == area for defect in defects) for area in AREAS}
    return tuple(
        f"{area}: {count} defects, expected at least {AT_LEAST}"
        for area, count in counts.items()
        if count < AT_LEAST
    )


def copy_tree(into: Path) -> None:
    """Copies what git knows of, or would, into ``into``."""
    listed = subprocess.run(
        ("git", "-c", f"safe.directory={ROOT}", "ls-files", "-coz", "--exclude-standard"),
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in os.fsdecode(listed.stdout).split("\0"):
        source = ROOT / name
        if name and (source.is_file() or source.is_symlink()):
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def run_tests(copy: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """pytest's exit code in ``copy``, and the last of what it said."""
    command = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests)
    # the editable install points at the work tree; the copy has to come first
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return _SOME_FAILED, "the tests ran into the time limit"
    return done.returncode, "\n".join(done.stdout.splitlines()[-15:]) + done.stderr[-2000:]


def try_defect(copy: Path, defect: Defect) -> str:
    """Why ``defect`` counts as alive; empty if the tests noticed it."""
    path = copy / defect.file
    if not path.is_file():
        return f"{defect.file} is gone"
    text = path.read_text(encoding="utf-8")
    if why := why_out_of_date(defect, text):
        return why
    path.write_text(text.replace(defect.old, defect.new), encoding="utf-8")
    try:
        code, said = run_tests(copy, defect.tests)
    finally:
        path.write_text(text, encoding="utf-8")
    if code == _SOME_FAILED:
        return ""
    if code == _ALL_PASSED:
        return f"it lives: {' '.join(defect.tests)} passed"
    return f"the tests could not be run (pytest ended with {code}):\n{said}"


def main(arguments: list[str]) -> int:
    """Tries every chosen defect; see the top of this file."""
    parser = argparse.ArgumentParser(description="Do the tests notice known defects?")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--list", action="store_true", help="names only, by area")
    chosen = parser.parse_args(arguments)
    defects = read_defects(HERE)
    if unknown := set(chosen.only) - {defect.name for defect in defects}:
        parser.error(f"no such defect: {', '.join(sorted(unknown))}")
    if chosen.list:
        print("\n".join(f"{defect.area}: {defect.name}" for defect in defects))
        return 0
    problems = [] if chosen.only else list(thin_areas(defects))
    defects = tuple(d for d in defects if not chosen.only or d.name in chosen.only)
    with tempfile.TemporaryDirectory(prefix="aiops-mutants-", dir="/tmp") as folder:
        copy = Path(folder)
        copy.chmod(0o755)  # jobs of a runner that is root have another uid
        copy_tree(copy)
        tests = tuple(sorted({test for defect in defects for test in defect.tests}))
        code, said = run_tests(copy, tests) if tests else (_ALL_PASSED, "")
        if code != _ALL_PASSED:
            print(f"the tests fail without any defect:\n{said}", file=sys.stderr)
            return 1
        for defect in defects:
            started = time.monotonic()
            why = try_defect(copy, defect)
            took = f"{time.monotonic() - started:4.1f} s"
            print(f"{'ALIVE ' if why else 'caught'} {took}  {defect.area}: {defect.name}")
            problems += [f"{defect.area}: {defect.name}: {why}"] if why else []
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(defects)} defects, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
