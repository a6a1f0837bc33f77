"""``python -m benchmarks.real_histories``: packets of what public projects really changed.

Source releases, one commit each, come from the package index that pip is configured for. Packets
are made of each step and of all of them, at several sizes, and proven; a table says what came of
it. To name a release's metadata pip runs its build backend: do this where you would install it.
Exit codes: 0 all proven, and no packet over its cap; 1 not so; 3 no release could be had.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from runner.adapters.git.config import write_git_config
from runner.adapters.git.process import GitProcess
from runner.adapters.git.ranges import RangeReader
from runner.flows.bundle import Places, Wanted, build
from runner.flows.prove import prove
from tests.support.git_repos import git, make_repo

RELEASES = {
    "requests": ("2.19.1", "2.25.1", "2.31.0"),
    "Jinja2": ("2.10.3", "2.11.3", "3.1.3"),
    "Pygments": ("2.5.2", "2.9.0", "2.15.1"),
    "docutils": ("0.16", "0.18.1"),
}
PACKET_BYTES = (2_000, 50_000, 1_000_000)
_PATIENCE_S = 180


@dataclass(frozen=True)
class Outcome:
    """What came of one range at one size."""

    what: str
    files: int
    patch_bytes: int
    packet_bytes: int
    packets: int
    largest: int
    built_s: float
    proven_s: float
    proven: bool

    @property
    def held(self) -> bool:
        """Whether everything is there, and nothing too large."""
        return self.proven and self.largest <= self.packet_bytes

    def row(self) -> str:
        """One line of the table."""
        cells = (
            *(self.what, f"{self.files:,}", f"{self.patch_bytes:,}", f"{self.packet_bytes:,}"),
            *(f"{self.packets:,}", f"{self.largest:,}"),
            *(f"{self.built_s:.2f}", f"{self.proven_s:.2f}", "yes" if self.held else "NO"),
        )
        return f"| {' | '.join(cells)} |"


class NothingToBeHadError(Exception):
    """A release couldn't be downloaded."""


def main(arguments: list[str]) -> int:
    """Downloads, builds, proves, prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_histories")
    parser.add_argument("--folder", type=Path, default=Path("/tmp"), help="with room for all")
    asked = parser.parse_args(arguments)
    outcomes = []
    print("| range | files | patch, bytes | cap | packets | largest | made, s | proven, s | held |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="aiops-histories-", dir=asked.folder) as folder:
        try:
            for project, versions in RELEASES.items():
                for outcome in _of_project(project, versions, Path(folder)):
                    outcomes.append(outcome)
                    print(outcome.row(), flush=True)
        except NothingToBeHadError as error:
            print(f"real_histories: {error}", file=sys.stderr)
            return 3
    return 0 if all(outcome.held for outcome in outcomes) else 1


def _of_project(project: str, versions: tuple[str, ...], folder: Path) -> Iterator[Outcome]:
    repo = make_repo(folder / project)
    commits = []
    for version in versions:
        unpack(_downloaded(project, version, folder / f"{project}-{version}"), repo)
        git(repo, "add", "-A", "-f")
        git(repo, "commit", "-q", "--no-verify", "-m", version)
        commits.append((version, git(repo, "rev-parse", "HEAD")))
    ranges: list[tuple[str, str | None, str]] = [
        (f"{project} {old} to {new}", base, head) for (old, base), (new, head) in pairwise(commits)
    ]
    ranges.append((f"{project} {versions[-1]}, all of it", None, commits[-1][1]))
    for what, base, head in ranges:
        for packet_bytes in PACKET_BYTES:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                yield _outcome(what, repo, base, head, packet_bytes, Path(scratch))


def _downloaded(project: str, version: str, into: Path) -> Path:
    """The source archive of one release."""
    # not :all:, by which pip would build the build backends themselves from source as well
    command = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", project)
    print(f"downloading {project} {version} …", file=sys.stderr)
    try:
        done = subprocess.run(
            (*command, "-d", str(into), f"{project}=={version}"),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NothingToBeHadError(f"{project} {version}: not within {_PATIENCE_S} s") from None
    found = [*into.glob("*.tar.*")] if into.is_dir() else []
    if done.returncode or len(found) != 1:
        said = (done.stderr.strip().splitlines() or ["no source archive"])[-1]
        raise NothingToBeHadError(
            f"{project} {version} can't be downloaded (no network, or no index?): {said}"
        )
    return found[0]


def unpack(archive: Path, repo: Path) -> None:
    """Replaces the files of ``repo`` by those of ``archive``, without its outermost folder.

    By hand, for not every Python 3.11 has tarfile's filters: files alone, so that no link can lead
    anywhere, and no name that leaves the folder.
    """
    git(repo, "rm", "-r", "-q", "-f", "--ignore-unmatch", ".")
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts[1:]
            outside = ".." in parts or ".git" in parts or member.name.startswith("/")
            content = tar.extractfile(member) if member.isreg() and not outside else None
            if content is None or not parts:
                continue
            path = repo.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)
            path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _outcome(
    what: str, repo: Path, base: str | None, head: str, packet_bytes: int, folder: Path
) -> Outcome:
    write_git_config(folder / "gitconfig")
    git_process = GitProcess(folder / "gitconfig")
    reader = RangeReader(git_process, repo / ".git" / "objects", folder / "range", head)
    packets, proving = folder / "packets", folder / "proving"
    proving.mkdir()
    started = time.perf_counter()
    span = reader.range(base, head)
    wanted = Wanted(packet_bytes=packet_bytes, force_packets=True)
    built = build(reader, span, wanted, Places(folder / "bundle", packets), folder)
    made = time.perf_counter()
    proof = prove(packets, reader, proving, span=span)
    proven = time.perf_counter()
    patches = () if proof.manifest is None else proof.manifest.patches
    return Outcome(
        what,
        files=sum(len(patch.files) for patch in patches),
        patch_bytes=sum(patch.size for patch in patches),
        packet_bytes=packet_bytes,
        packets=built.packets,
        largest=max((path.stat().st_size for path in packets.glob("packet_*.txt")), default=0),
        built_s=made - started,
        proven_s=proven - made,
        proven=proof.complete and proof.exactly_ours,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
