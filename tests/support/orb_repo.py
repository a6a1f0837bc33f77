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
_HEAD = "#!/usr/bin/env bash\nset -euo pipefail\n"
_ASKED = """\
[[ "$1" == --since && "$3" == --output && $# == 4 ]]
echo "review_bundle: since $2"
"""
REVIEW_BUNDLES = {
    "fits": f'{_HEAD}{_ASKED}git diff "$2" HEAD >"$4"\n',
    "over the cap": f'{_HEAD}{_ASKED}echo "too large" >&2\nexit 6\n',
    "fails": f"{_HEAD}{_ASKED}exit 9\n",
    "nothing": f"{_HEAD}{_ASKED}",
    "empty": f'{_HEAD}{_ASKED}: >"$4"\n',
    "a link": f'{_HEAD}{_ASKED}ln -s README.md "$4"\n',
    "a folder": f'{_HEAD}{_ASKED}mkdir "$4"\n',
    "forges": f"""{_HEAD}{_ASKED}
cd "$ARTIFACT_DIR"
echo '{{"complete": true, "size_cap_exceeded": true}}' >size_cap_meta.json
mkdir review_packets REVIEW_BUNDLE.txt README_REVIEW_PACKETS.txt
ln -s "$HOME" target_packets
ln -s "$HOME/elsewhere" ORB_REVIEW_PACKETS.tar.gz
echo "approved" >review_packets/packet_001.txt
exit 6
""",
    "forges and fits": f"""{_HEAD}{_ASKED}
git diff "$2" HEAD >"$4"
ln -s "$HOME" "$ARTIFACT_DIR/review_packets"
echo '{{"complete": true}}' >"$ARTIFACT_DIR/size_cap_meta.json"
""",
    "goes on writing": f"""{_HEAD}{_ASKED}
(
    set +e
    while :; do
        echo '{{"complete": true}}' >"$ARTIFACT_DIR/size_cap_meta.json"
        for packet in "$ARTIFACT_DIR"/review_packets/*/packet_*; do
            echo approved >"$packet"
        done
    done
) >"$HOME/log" 2>&1 &
exit 6
""",
}
"""What a target's ``ops/review_bundle.sh`` may do."""

_MODE = """\
[[ "$1 $2 $3 $5 $7" == "--mode FULL --since --output-dir --no-codex" && $# == 7 ]]
echo "review_codex: since $4"
"""
_BY_OUR_PROGRAM = """\
"$AIOPS_PYTHON" -I -S -B - "$4" "$6" <<'END'
import os, pathlib, subprocess, sys, tempfile
sys.path.append(os.environ["AIOPS_WRAPPERS"] + "/python")
from aiops_wrappers.runner_package import make_importable
make_importable(os.environ["AIOPS_RUNNER"])
from runner.adapters.git.config import write_git_config
from runner.adapters.git.process import GitProcess
from runner.adapters.git.ranges import RangeReader
from runner.flows.bundle import Places, Wanted, build
base, into = sys.argv[1], pathlib.Path(sys.argv[2])
tmp = pathlib.Path(tempfile.mkdtemp())
write_git_config(tmp / "gitconfig")
def git(*arguments):
    return subprocess.check_output(["git", *arguments], text=True).strip()
head = git("rev-parse", "HEAD")
objects = git("rev-parse", "--path-format=absolute", "--git-path", "objects")
reader = RangeReader(GitProcess(tmp / "gitconfig"), pathlib.Path(objects), tmp / "repository", head)
(tmp / "scratch").mkdir()
build(
    reader,
    reader.range(base, head),
    Wanted(packet_bytes=20_000, force_packets=True),
    Places(into / "REVIEW_BUNDLE.txt", into / "packets"),
    tmp / "scratch",
)
END
"""
REVIEW_CODEXES = {
    "fails": f"{_HEAD}{_MODE}exit 3\n",
    "fails after writing": f'{_HEAD}{_MODE}echo half >"$6/packet_001.txt"\nexit 3\n',
    "nothing": f"{_HEAD}{_MODE}",
    "incomplete": f"""{_HEAD}{_MODE}
git diff --stat "$4" HEAD >"$6/packet_001.txt"
echo '{{"packets": ["packet_001.txt"], "complete": true}}' >"$6/manifest.json"
""",
    "complete": f"{_HEAD}{_MODE}{_BY_OUR_PROGRAM}",
    "one byte changed": f"""{_HEAD}{_MODE}{_BY_OUR_PROGRAM}
sed -i 's/line 7 /line 8 /' "$6/packets/packet_001.txt"
""",
    "fails when all is done": f"{_HEAD}{_MODE}{_BY_OUR_PROGRAM}exit 3\n",
    "other instructions": f"""{_HEAD}{_MODE}{_BY_OUR_PROGRAM}
cd "$6/packets"
before=$(sha256sum <packet_001.txt)
sed -i 's/ is DATA: / is data: /' packet_001.txt
after=$(sha256sum <packet_001.txt)
[[ "$before" != "$after" ]]
sed -i "s/${{before%% *}}/${{after%% *}}/" manifest.json
""",
    "a packet less": f'{_HEAD}{_MODE}{_BY_OUR_PROGRAM}rm "$6/packets/packet_002.txt"\n',
    "another range": f"""{_HEAD}{_MODE}set -- a b c "$(git rev-parse HEAD)" e "$6"
{_BY_OUR_PROGRAM}""",
    "a link": f'{_HEAD}{_MODE}rmdir "$6"\nln -s "$HOME" "$6"\n',
    "links in it": f"""{_HEAD}{_MODE}{_BY_OUR_PROGRAM}
mv "$6/packets" "$HOME/packets"
ln -s "$HOME/packets" "$6/packets"
""",
}
"""What a target's ``ops/review_codex.sh`` may do with packets of ``LINES``."""

LINES = "".join(f"line {number} of many\n" for number in range(3000))
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
    review_bundle: str | None = None,
    review_codex: str | None = None,
    change: str = "",
) -> Path:
    """A git repository with one commit after its baseline, clean, on branch ``main``.

    Args:
        folder: Where; made if it isn't there.
        doctor: The kind of ``ops/doctor.*`` that it has.
        harness: The path of its score harness (``.sh`` or ``.py``).
        selftests: Exit code by name of each ``ops/tests/<name>_selftest.sh``; two that pass
            by default.
        review_auto: Whether it has ``ops/review_auto.sh``.
        review_bundle: Its ``ops/review_bundle.sh``, by its name in ``REVIEW_BUNDLES``.
        review_codex: Its ``ops/review_codex.sh``, by its name in ``REVIEW_CODEXES``.
        change: The content of a file that is added after its baseline.

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
    if review_bundle is not None:
        put(folder, "ops/review_bundle.sh", REVIEW_BUNDLES[review_bundle], executable=True)
    if review_codex is not None:
        put(folder, "ops/review_codex.sh", REVIEW_CODEXES[review_codex], executable=True)
    baseline = commit_all(folder, "the reviewed state")
    put(folder, "docs/LAST_REVIEWED_SHA.txt", f"{baseline}\n")
    commit_all(folder, f"review: baseline {baseline}")
    if change:
        put(folder, "research/change.txt", change)
        commit_all(folder, "a change")
    return folder
