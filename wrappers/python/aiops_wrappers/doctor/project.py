"""What a project is expected to have: readme, licence, CI, hooks, described submodules."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from aiops_wrappers.doctor.findings import Findings
from aiops_wrappers.doctor.listing import Entry

_README = re.compile(rb"(?:\.github/|docs/)?readme(?:\.[a-z]+)?\Z", re.IGNORECASE)
_LICENCE = re.compile(
    rb"(?:(?:licen[sc]e|copying|unlicense)(?:[.-][^/]*)?|LICENSES/.+)\Z", re.IGNORECASE
)
_CI = re.compile(
    rb"(?:\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml|\.gitlab-ci\.ya?ml|\.circleci/config\.yml"
    rb"|\.travis\.yml|\.drone\.yml|\.woodpecker(?:\.ya?ml|/.+)|\.buildkite/.+|\.ci/.+|\.build\.yml"
    rb"|azure-pipelines\.ya?ml|Jenkinsfile|bitbucket-pipelines\.yml|\.cirrus\.yml)\Z"
)
_EXPECTED = (("no_readme", _README), ("no_licence", _LICENCE), ("no_ci", _CI))
HOOKS_FOLDER = b".githooks/"
# githooks(5).
HOOKS = frozenset(
    b"applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg"
    b" commit-msg post-commit pre-rebase post-checkout post-merge pre-push pre-receive update"
    b" proc-receive post-receive post-update reference-transaction push-to-checkout pre-auto-gc"
    b" post-rewrite sendemail-validate fsmonitor-watchman post-index-change".split()
)


def look_at_project(checkout: Path, entries: Sequence[Entry], findings: Findings) -> None:
    """Adds what is missing, hooks that git would skip, and submodules."""
    paths = [entry.path for entry in entries if not entry.is_submodule]
    for kind, pattern in _EXPECTED:
        if not any(pattern.match(path) for path in paths):
            findings.add(kind)
    if b".gitignore" not in paths:
        findings.add("no_gitignore")
    hooks = [entry for entry in entries if entry.path.startswith(HOOKS_FOLDER)]
    if not hooks:
        findings.add("no_hooks")
    for entry in hooks:
        if entry.path.removeprefix(HOOKS_FOLDER) in HOOKS and entry.mode == b"100644":
            findings.add("hook_not_executable", entry.path)
    submodules = [entry.path for entry in entries if entry.is_submodule]
    described = _described_submodules(checkout) if submodules else frozenset()
    for path in submodules:
        findings.add("submodule" if path in described else "submodule_without_url", path)


def _described_submodules(checkout: Path) -> frozenset[bytes]:
    """The paths in ``.gitmodules``; none where git can't read that file.

    ``--no-includes``: the file is hostile, and could name others.
    """
    command = ["git", "config", "--no-includes", "--file", ".gitmodules", "-z"]
    done = subprocess.run(
        [*command, "--get-regexp", r"^submodule\..*\.path$"],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    values = (record.partition(b"\n")[2] for record in done.stdout.split(b"\0"))
    return frozenset(value for value in values if value)
