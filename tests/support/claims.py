"""What a job leaves that claims that its review bundle became packets: honest, and to be forged."""

import gzip
import io
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

from runner.adapters.git.config import write_git_config
from runner.adapters.git.process import GitProcess
from runner.adapters.git.ranges import RangeReader
from runner.adapters.job_folders import JobFolder
from runner.flows.bundle import Places, Wanted, build
from runner.model.artifact import Artifact
from runner.policy.packets import meta as metas
from runner.policy.packets.meta import Meta
from tests.support.git_repos import commit, git, make_repo
from tests.support.workshop import Workshop

STAMP = "20260102T030405Z"
PACKETS = f"{metas.PACKETS_FOLDER}/{STAMP}"
ARCHIVE = metas.ARCHIVE_NAME


def reviewed_repo(folder: Path) -> tuple[Path, str, str]:
    """A repository of three commits, with its first commit and its head.

    The first holds text, the second adds a binary file, and something that the third takes away.
    """
    lines = "".join(f"line {number}\n" for number in range(1500))
    repo = make_repo(folder, files={"a.txt": lines, "b.txt": "b\n"})
    base = git(repo, "rev-parse", "HEAD")
    commit(repo, {"a.txt": lines.replace("line", "row"), "c.bin": b"\0\1" * 900, "d": "d\n"})
    head = commit(repo, {"b.txt": "\u202eb\nc\n", "d": None})
    return repo, base, head


def claim_packets(
    repo: Path, base: str, head: str, left: Path, scratch: Path, packet_bytes: int = 10_000
) -> Meta:
    """Writes into ``left`` what an honest job over its cap leaves; what it claims."""
    left.mkdir()
    scratch.mkdir()
    write_git_config(scratch / "gitconfig")
    git_process = GitProcess(scratch / "gitconfig")
    reader = RangeReader(git_process, repo / ".git/objects", scratch / "repository", head)
    places = Places(
        bundle=left / metas.BUNDLE_NAME,
        packets=left / PACKETS,
        archive=left / ARCHIVE,
        readme=left / metas.README_NAME,
    )
    wanted = Wanted(packet_bytes=packet_bytes, force_packets=True)
    built = build(reader, reader.range(base, head), wanted, places, scratch)
    shutil.rmtree(scratch)
    assert built.manifest_sha256 is not None
    meta = Meta(base, STAMP, ARCHIVE, built.packets, built.manifest_sha256)
    write_meta(left, meta)
    return meta


def write_meta(left: Path, meta: Meta, **changes: object) -> None:
    """Writes the claim ``meta``, with ``changes``."""
    (left / metas.NAME).write_bytes(metas.to_json(replace(meta, **changes)))  # type: ignore[arg-type]


def members(archive: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    """What is in an honest archive."""
    with tarfile.open(archive) as opened:
        return [(info, opened.extractfile(info).read()) for info in opened]  # type: ignore[union-attr]


def pack(archive: Path, entries: list[tuple[tarfile.TarInfo, bytes]], form: int) -> None:
    """Replaces an archive by one with these ``entries``."""
    with io.BytesIO() as plain:
        with tarfile.open(fileobj=plain, mode="w", format=form) as made:
            for info, data in entries:
                made.addfile(info, io.BytesIO(data))
        archive.write_bytes(gzip.compress(plain.getvalue(), mtime=0))


# not tar(1): it sets modes and times, which a job under Landlock mustn't
_LEAVE = """#!python
import os, sys, tarfile
with tarfile.open(os.environ["AIOPS_WRAPPERS"] + "/leaves.tar") as packed:
    for entry in packed:
        path = os.path.join(os.environ["ARTIFACT_DIR"], entry.name)
        if entry.isdir():
            os.makedirs(path, exist_ok=True)
        elif entry.issym():
            os.symlink(entry.linkname, path)
        else:
            with open(path, "wb") as file:
                file.write(packed.extractfile(entry).read())
"""
_SINCE = {"since_sha": {"type": "sha", "description": "the base"}}


class PreparedJob:
    """A reviewed repository, and a copy of what an honest job leaves of it, to be forged."""

    def __init__(self, workshop: Workshop, folder: Path) -> None:
        self.workshop = workshop
        self.repo, self.base, self.head = reviewed_repo(folder / "repo")
        self.left = folder / "left"
        self.meta = claim_packets(self.repo, self.base, self.head, self.left, folder / "scratch")

    def allow(self, exit_code: int = 0) -> None:
        """Allows a job type that leaves the files as they are now, and exits with ``exit_code``."""
        with tarfile.open(self.workshop.wrappers / "leaves.tar", "w") as packed:
            packed.add(self.left, arcname=".")
        self.workshop.add("leaves", f"{_LEAVE}sys.exit({exit_code})\n", allowed_params=_SINCE)

    def submit(self, exit_code: int = 0, since_sha: str | None = None) -> JobFolder:
        """Accepts such a job."""
        self.allow(exit_code)
        return self.workshop.submit(
            "leaves",
            repo=self.repo,
            sha=self.head,
            params={"since_sha": since_sha or self.base},
        )

    def run(self, exit_code: int = 0, since_sha: str | None = None) -> Artifact:
        """Runs that job; its record, which is valid whatever came of it."""
        artifact = self.workshop.execute(self.submit(exit_code, since_sha))
        self.workshop.check(artifact)
        return artifact
