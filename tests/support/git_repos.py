"""Real git repositories in temporary folders, made fast, with nobody's configuration.

Ordinary ones by ``make_repo`` and ``commit``, which also keep a working tree; big ones by
``make_big_repo``; those that git itself would refuse to make by ``write_object``, ``write_tree``
and ``commit_tree``, which check nothing.
"""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "A Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "A Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
    "GIT_AUTHOR_DATE": "2024-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2024-01-02T03:04:05Z",
}


@dataclass(frozen=True)
class Link:
    """A symbolic link in a test repository."""

    target: str


@dataclass(frozen=True)
class Script:
    """An executable file in a test repository."""

    content: str


Content = bytes | str | Link | Script | None
"""What a path is to hold; None removes it."""


def git_bytes(repo: Path, *args: str, stdin: bytes | None = None) -> bytes:
    """Standard output of ``git args`` in ``repo``; fails loudly with git's own words."""
    done = subprocess.run(
        ["git", *args],
        cwd=repo,
        env=_ENVIRONMENT,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        check=False,
        umask=0o022,
    )
    if done.returncode != 0:
        message = done.stderr.decode(errors="replace")
        raise AssertionError(f"git {' '.join(args)} → {done.returncode}: {message}")
    return done.stdout


def git(repo: Path, *args: str) -> str:
    """Like ``git_bytes``, as text without the final newline."""
    return git_bytes(repo, *args).decode(errors="surrogateescape").rstrip("\n")


def make_repo(
    folder: Path,
    files: Mapping[str, Content] | None = None,
    branch: str = "main",
    *,
    object_format: str = "sha1",
) -> Path:
    """A repository at ``folder`` with one commit of ``files``; without any commit if None."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", branch, f"--object-format={object_format}", "--template=")
    if files is not None:
        commit(folder, files, "first")
    return folder


def commit(repo: Path, files: Mapping[str, Content], message: str = "change") -> str:
    """Commits ``files`` on top of what is checked out in ``repo`` and returns the commit's id."""
    for name, content in files.items():
        _put(repo / name, content)
    git(repo, "add", "-A", "-f")
    git(repo, "commit", "-q", "--allow-empty", "--no-verify", "-m", message)
    return git(repo, "rev-parse", "HEAD")


def _put(path: Path, content: Content) -> None:
    if path.is_symlink() or path.exists():
        path.unlink()
    if content is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    match content:
        case Link(target):
            path.symlink_to(target)
        case Script(text):
            path.write_text(text)
            path.chmod(0o755)
        case str():
            path.write_text(content)
        case _:
            path.write_bytes(content)


def make_big_repo(folder: Path, count: int, *, size_bytes: int = 120) -> str:
    """A bare-bones repository of ``count`` small, different files; returns its commit's id.

    One ``fast-import`` and no working tree: 50,000 files take about a second.
    """
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main", "--template=")
    lines = [b"commit refs/heads/main\ncommitter A Tester <tester@example.org> 1700000000 +0000\n"]
    lines.append(b"data 3\nbig\n")
    for number in range(count):
        body = b"file %d\n" % number
        body += b"x" * max(0, size_bytes - len(body))
        path = b"d%d/e%d/file%d.txt" % (number % 50, number // 50 % 20, number)
        lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(body), body))
    git_bytes(folder, "fast-import", "--quiet", stdin=b"".join(lines))
    return git(folder, "rev-parse", "main")


def write_object(repo: Path, kind: str, body: bytes) -> str:
    """Stores ``body`` as an object of ``kind`` without any check and returns its id."""
    found = git_bytes(repo, "hash-object", "-w", "--literally", "-t", kind, "--stdin", stdin=body)
    return found.decode().strip()


def write_tree(repo: Path, entries: Iterable[tuple[str, bytes, str]]) -> str:
    """A tree of ``(mode, name, object id)``, in exactly that order, whatever it says."""
    return write_object(
        repo,
        "tree",
        b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries
        ),
    )


def commit_tree(repo: Path, tree: str, parents: Iterable[str] = (), ref: str | None = None) -> str:
    """A commit of ``tree``; ``ref`` is then pointed at it, if one is named."""
    arguments = [argument for parent in parents for argument in ("-p", parent)]
    sha = git(repo, "commit-tree", tree, *arguments, "-m", "made")
    if ref is not None:
        git(repo, "update-ref", ref, sha)
    return sha
