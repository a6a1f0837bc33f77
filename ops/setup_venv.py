"""Makes ``.venv`` from ``requirements.lock``: the interpreter, the locked packages, this project.

    python3 ops/setup_venv.py        (the Makefile calls it; exit codes: 0 made, 1 can't)

Uses uv where it is installed and venv with pip where not. Every file is checked against its hash
in the lock. Written for any Python from 3.8 on, since the ``python3`` that starts it needn't be
the one that ends up in ``.venv``.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / ".ready"
OLDEST = (3, 11)
_NAMES = ("python3.11", "python3.12", "python3.13", "python3.14", "python3")
_SYSTEM = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
_EVERYBODY_MAY_PASS = stat.S_IXOTH


def fail(what: str) -> NoReturn:
    """Ends with one line that says what to do."""
    sys.exit(f"setup: {what}")


def real_interpreter(program: Path) -> Path | None:
    """The executable behind ``program`` if it is a new enough Python, else nothing.

    Asks the program itself: what stands in PATH is often a shim that picks another one.
    """
    ask = (
        f"import os, sys; ok = sys.version_info[:2] >= {OLDEST};"
        " print(os.path.realpath(sys.executable) if ok else '')"
    )
    try:
        answer = subprocess.run(
            [str(program), "-I", "-c", ask],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    path = os.fsdecode(answer.stdout).strip()
    return Path(path) if answer.returncode == 0 and path else None


def everybody_may_run(program: Path) -> bool:
    """Whether another user could execute ``program``: jobs of a runner that is root do."""
    try:
        return all(
            path.stat().st_mode & _EVERYBODY_MAY_PASS for path in (program, *program.parents)
        )
    except OSError:
        return False


def interpreters() -> list[Path]:
    """Every new enough Python that is installed, those that everybody may run first."""
    folders = [*_SYSTEM, *os.environ.get("PATH", "").split(os.pathsep)]
    found: list[Path] = []
    for folder in folders:
        for name in _NAMES:
            program = Path(folder or ".", name)
            if program.is_file() and os.access(str(program), os.X_OK):
                real = real_interpreter(program)
                if real is not None and real not in found:
                    found.append(real)
    return sorted(found, key=lambda program: not everybody_may_run(program))


def run(*command: object, quiet: bool = False) -> bool:
    """Whether ``command`` succeeded."""
    words = [str(word) for word in command]
    output = subprocess.DEVNULL if quiet else None
    return (
        subprocess.run(words, stdout=output, stderr=output, check=False, cwd=ROOT).returncode == 0
    )


def has_module(program: Path, name: str) -> bool:
    """Whether that Python can import ``name``."""
    return run(program, "-I", "-c", f"import {name}", quiet=True)


def with_uv(uv: str, python: Path | None) -> None:
    """Makes ``.venv`` with uv, which also fetches a Python where there is none."""
    chosen = python or ".".join(map(str, OLDEST))
    made = (
        run(uv, "venv", "--quiet", "--allow-existing", "--no-project", "--python", chosen, VENV)
        and run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", PYTHON, LOCK)
        and run(
            *(uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--no-build-isolation"),
            *("--python", PYTHON, "--editable", ROOT),
        )
    )
    if not made:
        fail("uv could not install the locked packages (its own words are above)")


def with_pip(python: Path) -> None:
    """Makes ``.venv`` with venv and pip; with that Python's own pip where venv can't bring one."""
    made = PYTHON.exists() or run(python, "-m", "venv", "--without-pip", VENV)
    pip: list[object] = [PYTHON, "-m", "pip"]
    if made and not has_module(PYTHON, "pip"):
        if has_module(python, "ensurepip"):
            made = run(PYTHON, "-I", "-m", "ensurepip", quiet=True)
        elif has_module(python, "pip"):
            pip = [python, "-m", "pip", "--python", PYTHON]
        else:
            fail(
                f"{python} has neither ensurepip nor pip:"
                " apt-get install python3-venv (or python3-pip), or install uv"
            )
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    made = (
        made
        and run(*pip, "install", *quiet, "--require-hashes", "--requirement", LOCK)
        and run(
            *(*pip, "install", *quiet, "--no-deps", "--no-build-isolation", "--no-index"),
            *("--editable", ROOT),
        )
    )
    if not made:
        fail("pip could not install the locked packages (its own words are above)")


def main() -> None:
    """Makes or mends ``.venv``, then stamps it."""
    os.umask(0o022)  # jobs of another uid import from it
    os.environ.pop("PYTHONPATH", None)
    os.environ.pop("VIRTUAL_ENV", None)
    if STAMP.exists():
        STAMP.unlink()
    uv = shutil.which("uv")
    found = interpreters()
    python = found[0] if found else None
    if python is None and uv is None:
        fail("no Python 3.11 or later found: apt-get install python3 python3-venv, or install uv")
    if not PYTHON.exists() or real_interpreter(PYTHON) != python:
        # another interpreter, a half-made folder, or one whose Python has gone since
        shutil.rmtree(str(VENV), ignore_errors=True)
    if python is not None and not everybody_may_run(python):
        print(
            f"setup: note: only you may run {python}; jobs that need Python will be refused when"
            " the runner is root. A Python of the system's (apt-get install python3) ends that."
        )
    print("setup: making .venv with " + ("uv" if uv else "pip") + f" and {python or 'its Python'}")
    if uv is not None:
        with_uv(uv, python)
    else:
        with_pip(python or Path(sys.executable))
    STAMP.write_text(f"{python}\n")


if __name__ == "__main__":
    main()
