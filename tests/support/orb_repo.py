"""A repository that looks like the ORB one: what the ``orb_*`` job types find in their target."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

HERMETIC_GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "A. Author",
    "GIT_AUTHOR_EMAIL": "author@example.invalid",
    "GIT_AUTHOR_DATE": "2025-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "A. Author",
    "GIT_COMMITTER_EMAIL": "author@example.invalid",
    "GIT_COMMITTER_DATE": "2025-01-02T03:04:05Z",
}

DOCTOR = """#!/usr/bin/env bash
set -euo pipefail
echo "orb doctor: cwd $(basename "$PWD"), hooks $(ls .githooks)"
git rev-parse HEAD
echo "orb doctor: a warning" >&2
exit "${ORB_DOCTOR_EXIT:-0}"
"""
HARNESS_SH = """#!/usr/bin/env bash
set -euo pipefail
echo "score of ${LOGS_DAY:-no day} in ${RUN_ID:-no run}: 0.75"
"""
HARNESS_PY = """import os

import score_model

print(f"score of {os.environ.get('LOGS_DAY', 'no day')}: {score_model.SCORE}")
"""
REVIEW_AUTO = """#!/usr/bin/env bash
set -euo pipefail
echo "review_auto: arguments $*; CODEX_SKIP=${CODEX_SKIP:-unset}"
[[ "${1:-}" == --no-push && "${CODEX_SKIP:-}" == 1 ]]
"""


def git(folder: Path, *arguments: str) -> str:
    """What git answers in ``folder``, with no configuration of the machine's."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={"PATH": os.defpath, "HOME": "/nonexistent", **HERMETIC_GIT},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit_all(folder: Path, message: str = "a change") -> str:
    """Commits everything in ``folder``, a repository from now on; the full commit id."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def put(folder: Path, path: str, content: str | bytes, *, executable: bool = False) -> Path:
    """Writes one file of the tree, its folders included."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    place.chmod(0o755 if executable else 0o644)
    return place


def build_orb_repo(
    folder: Path,
    *,
    doctor: Literal["sh", "ps1"] | None = "sh",
    harness: str | None = "research/score_harness.py",
    selftests: Mapping[str, int] | None = None,
    review_auto: bool = True,
) -> Path:
    """A git repository with one commit after its baseline, clean, on branch ``main``.

    Args:
        folder: Where; made if it isn't there.
        doctor: The kind of ``ops/doctor.*`` that it has.
        harness: The path of its score harness (``.sh`` or ``.py``).
        selftests: Exit code by name of each ``ops/tests/<name>_selftest.sh``; two that pass
            by default.
        review_auto: Whether it has ``ops/review_auto.sh``.

    Returns:
        ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    put(folder, "README.md", "# ORB\n\nSee [the baseline](docs/LAST_REVIEWED_SHA.txt).\n")
    put(folder, "LICENSE", "All rights reserved.\n")
    put(folder, ".gitignore", "review_packets/\n")
    put(folder, ".githooks/pre-push", "#!/usr/bin/env bash\nexit 0\n", executable=True)
    put(folder, "docs/LAST_REVIEWED_SHA.txt", "0" * 40 + "\n")
    put(folder, "research/score_model.py", "SCORE = 0.75\n")
    put(folder, ".github/workflows/ci.yml", "on: push\njobs: {}\n")
    if doctor == "sh":
        put(folder, "ops/doctor.sh", DOCTOR, executable=True)
    elif doctor == "ps1":
        put(folder, "ops/doctor.ps1", "Write-Output 'orb doctor'\r\n")
    if harness is not None:
        put(folder, harness, HARNESS_PY if harness.endswith(".py") else HARNESS_SH)
    for name, code in ({"bundle": 0, "gate": 0} if selftests is None else selftests).items():
        script = f"#!/usr/bin/env bash\necho {name} ran\nexit {code}\n"
        put(folder, f"ops/tests/{name}_selftest.sh", script, executable=True)
    if review_auto:
        put(folder, "ops/review_auto.sh", REVIEW_AUTO, executable=True)
    baseline = commit_all(folder, "the reviewed state")
    put(folder, "docs/LAST_REVIEWED_SHA.txt", f"{baseline}\n")
    commit_all(folder, f"review: baseline {baseline}")
    return folder
