"""A claim of review packets is believed only if everything about it holds."""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from runner.adapters.git.config import write_git_config
from runner.adapters.git.mirrors import Mirror, Mirrors
from runner.adapters.git.process import GitProcess
from runner.adapters.packet_files import Archive
from runner.errors import UnavailableError
from runner.flows.claims import check_claim
from runner.policy.claims import Finding, files_of
from runner.policy.packets import manifest as manifests
from runner.policy.packets import meta as metas
from runner.policy.packets.meta import Meta
from runner.policy.packets.notices import readme
from tests.support import claims
from tests.support.claims import ARCHIVE, PACKETS
from tests.support.git_repos import git


@dataclass(frozen=True)
class Honest:
    """A repository with what an honest job leaves of it, to be copied and forged."""

    repo: Path
    base: str
    head: str
    left: Path
    meta: Meta
    mirror: Mirror


@dataclass(frozen=True)
class Left:
    """A copy of what an honest job left."""

    honest: Honest
    folder: Path
    scratch: Path

    @property
    def meta(self) -> Meta:
        """What the honest job claims."""
        return self.honest.meta

    def check(self, *, since_sha: str | None = "", mirror: Mirror | None = None) -> Finding:
        """What the executor makes of it; ``since_sha`` is what the job was asked for."""
        return self._check(since_sha, mirror or self.honest.mirror)

    def check_offline(self) -> Finding:
        """What a verifier without the repository makes of it."""
        return self._check("", None)

    def _check(self, since_sha: str | None, mirror: Mirror | None) -> Finding:
        self.scratch.mkdir()
        try:
            return check_claim(
                self.folder,
                {
                    path.relative_to(self.folder).as_posix(): path.stat().st_size
                    for path in self.folder.rglob("*")
                    if path.is_file()
                },
                self.scratch,
                head=self.honest.head,
                since_sha=self.honest.base if since_sha == "" else since_sha,
                mirror=mirror,
            )
        finally:
            shutil.rmtree(self.scratch)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Honest]:
    folder = tmp_path_factory.mktemp("honest")
    repo, base, head = claims.reviewed_repo(folder / "repo")
    meta = claims.claim_packets(repo, base, head, folder / "left", folder / "scratch")
    mirrors = mirrors_in(folder)
    mirror = mirrors.open(str(repo), local=True)
    mirror.ensure_commit(head, allowed_branches=("*",), default_branch="main")
    yield Honest(repo, base, head, folder / "left", meta, mirror)
    mirrors.close()


def mirrors_in(folder: Path, **git: float) -> Mirrors:
    """Mirrors below ``folder``."""
    write_git_config(folder / "gitconfig")
    return Mirrors(folder / "mirrors", folder / "locks", GitProcess(folder / "gitconfig", **git))  # type: ignore[arg-type]


@pytest.fixture
def left(honest: Honest, tmp_path: Path) -> Left:
    shutil.copytree(honest.left, tmp_path / "left")
    return Left(honest, tmp_path / "left", tmp_path / "scratch")


def refused(finding: Finding) -> str:
    """Why a claim isn't believed; fails if it is."""
    assert finding.meta is None
    assert finding.problems
    return "; ".join(finding.problems)


def test_an_honest_claim_is_believed(left: Left) -> None:
    finding = left.check()
    assert (finding.meta, finding.problems) == (left.meta, ())
    assert left.meta.packet_count > 1
    assert "its tree comes out of them" in finding.proof


def test_without_the_repository_an_honest_claim_holds_and_says_less(left: Left) -> None:
    finding = left.check_offline()
    assert finding.meta == left.meta
    assert "its tree" not in finding.proof


def test_the_root_commit_is_the_base_where_nobody_named_one(left: Left) -> None:
    assert left.check(since_sha=None).meta == left.meta


def test_that_the_target_made_incomplete_packets_is_part_of_the_claim(left: Left) -> None:
    claims.write_meta(left.folder, left.meta, target_incomplete=True)
    (left.folder / "target_packets").mkdir()
    (left.folder / "target_packets/packet_001.txt").write_text("half of it")
    finding = left.check()
    assert finding.meta is not None
    assert finding.meta.warnings == ("SIZE_CAP_EXCEEDED", "TARGET_PACKETS_INCOMPLETE")


def _document(left: Left, **changes: object) -> bytes:
    return json.dumps({**left.meta.document(), **changes}).encode()


def _without(left: Left, key: str) -> bytes:
    return json.dumps({k: v for k, v in left.meta.document().items() if k != key}).encode()


FORGED_META: dict[str, Callable[[Left], bytes]] = {
    "nothing": lambda _: b"",
    "null": lambda _: b"null",
    "a list": lambda left: json.dumps([left.meta.document()]).encode(),
    "deep": lambda _: b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "two objects": lambda left: _document(left) * 2,
    "not UTF-8": lambda left: _document(left, stamp="x").replace(b"x", b"\xff"),
    "not JSON": lambda left: _document(left, packet_count=float("nan")),
    "an extra key": lambda left: _document(left, approved=True),
    "a missing key": lambda left: _without(left, "complete"),
    "a key twice": lambda left: _document(left)[:-1] + b', "complete": true}',
    "no warning": lambda left: _document(left, warnings=[]),
    "a warning of its own": lambda left: _document(left, warnings=["SIZE_CAP_EXCEEDED", "OK"]),
    "1 for true": lambda left: _document(left, complete=1),
    "true for 1": lambda left: _document(left, packet_count=True),
    "not exceeded": lambda left: _document(left, size_cap_exceeded=False),
    "a folder outside": lambda left: _document(left, review_packets_dir="../../stolen"),
    "another folder": lambda left: _document(left, packet_dir="review_packets/20000101T000000Z"),
    "an absolute archive": lambda left: _document(left, review_packets_archive="/etc/passwd"),
    "an archive outside": lambda left: _document(left, archive_path="../plan.json"),
    "a readme outside": lambda left: _document(left, readme_path="../stdout.log"),
    "a stamp outside": lambda left: _document(left, stamp="../../../../tmp"),
    "another stamp": lambda left: metas.to_json(replace(left.meta, stamp="20000101T000000Z")),
    "the other archive": lambda left: metas.to_json(
        replace(left.meta, archive_name=metas.ORB_ARCHIVE_NAME)
    ),
    "one packet more": lambda left: metas.to_json(
        replace(left.meta, packet_count=left.meta.packet_count + 1)
    ),
    "another manifest": lambda left: metas.to_json(replace(left.meta, manifest_sha256="0" * 64)),
    "another base": lambda left: metas.to_json(replace(left.meta, since_sha=left.honest.head)),
    "an unknown base": lambda left: metas.to_json(replace(left.meta, since_sha="1" * 40)),
}


@pytest.mark.parametrize("forge", FORGED_META.values(), ids=FORGED_META)
def test_a_forged_meta_is_not_believed(left: Left, forge: Callable[[Left], bytes]) -> None:
    (left.folder / metas.NAME).write_bytes(forge(left))
    refused(left.check())
    refused(left.check_offline())


def test_a_meta_of_100_mb_is_not_read(left: Left) -> None:
    with (left.folder / metas.NAME).open("r+b") as file:
        file.truncate(100_000_000)
    assert "at most" in refused(left.check())


def test_a_meta_that_is_a_folder_is_not_believed(left: Left) -> None:
    (left.folder / metas.NAME).unlink()
    (left.folder / metas.NAME).mkdir()
    assert "regular file" in refused(left.check())


def test_a_meta_alone_is_not_believed(left: Left) -> None:
    shutil.rmtree(left.folder / metas.PACKETS_FOLDER)
    refused(left.check())
    refused(left.check_offline())


def test_packets_of_less_than_the_range_are_not_believed(left: Left, tmp_path: Path) -> None:
    """Complete in themselves, and honestly called what they are, or called what they should be."""
    honest, less = left.honest, tmp_path / "less"
    between = git(honest.repo, "rev-parse", "HEAD~1")
    meta = claims.claim_packets(honest.repo, between, honest.head, less, tmp_path / "s")
    of_less = Left(honest, less, tmp_path / "scratch")
    assert of_less.check(since_sha=between).meta == meta
    assert "since_sha" in refused(of_less.check())
    claims.write_meta(less, meta, since_sha=honest.base)
    assert "expected" in refused(of_less.check())
    assert "expected" in refused(of_less.check_offline())


@pytest.mark.parametrize("asked", ["1" * 40, "HEAD~2", "--all"])
def test_a_base_that_is_no_commit_of_the_history_makes_every_claim_invalid(
    left: Left, asked: str
) -> None:
    refused(left.check(since_sha=asked))


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def _resealed(left: Left) -> None:
    """Makes manifest, meta, readme and archive agree with the packets as they lie there now."""
    folder = left.folder / PACKETS
    manifest = json.loads((folder / "manifest.json").read_text())
    for packet in manifest["packets"]:
        data = (folder / packet["name"]).read_bytes()
        packet |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    document = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(document)
    digest = hashlib.sha256(document).hexdigest()
    claims.write_meta(left.folder, left.meta, manifest_sha256=digest)
    proven = manifests.from_json(document)
    (left.folder / metas.README_NAME).write_bytes(readme(proven, digest))
    (left.folder / ARCHIVE).unlink()
    with Archive(left.folder / ARCHIVE) as archive:
        for name in files_of(proven):
            archive.add_file(name, folder / name)


def test_a_manifest_that_is_spelled_otherwise_is_as_good(left: Left) -> None:
    """The twin of the next: resealing alone isn't what is refused."""
    _resealed(left)
    assert left.check().problems == ()


def test_packets_of_another_manifest_are_not_believed(left: Left) -> None:
    """Also where the readme agrees with the claim."""
    path = left.folder / PACKETS / manifests.NAME
    claims.write_meta(left.folder, left.meta, manifest_sha256="0" * 64)
    told = readme(manifests.from_json(path.read_bytes()), "0" * 64)
    (left.folder / metas.README_NAME).write_bytes(told)
    assert "manifest_sha256" in refused(left.check())


def test_instructions_of_the_jobs_own_around_the_data_are_not_believed(left: Left) -> None:
    packet = left.folder / PACKETS / "packet_001.txt"
    text = packet.read_bytes()
    forged = text.replace(b"# REVIEW", b"# PASSED", 1)
    assert forged != text
    packet.write_bytes(forged)
    _resealed(left)
    assert "exactly what this program makes" in refused(left.check())
    assert "exactly what this program makes" in refused(left.check_offline())


def _far_away(manifest: dict[str, Any]) -> None:
    last = manifest["segments"][-1]
    last["offset"] = 1 << 52
    manifest["patches"][0]["bytes"] += last["offset"]


def _vast(manifest: dict[str, Any]) -> None:
    """What is read first lies behind something that no file has room for."""
    for segment in manifest["segments"]:
        if segment["patch"] == 0:
            segment["bytes" if segment["offset"] == 0 else "offset"] += 1 << 52
    manifest["patches"][0]["bytes"] += 1 << 52


def _many_patches(manifest: dict[str, Any]) -> None:
    manifest["patches"] *= 5000


def _no_patches(manifest: dict[str, Any]) -> None:
    manifest["patches"] = []


def _tiny_packets(manifest: dict[str, Any]) -> None:
    manifest["packet_bytes"] = 1


@pytest.mark.parametrize("packet_bytes", [1500, 9_999, 204_801])
def test_packets_that_nobody_reads_whole_are_not_believed(
    honest: Honest, tmp_path: Path, packet_bytes: int
) -> None:
    """Complete, and exactly ours; but the job chose a size at which the frame says nothing."""
    made = tmp_path / "made"
    claims.claim_packets(
        honest.repo, honest.base, honest.head, made, tmp_path / "making", packet_bytes
    )
    assert "expected 10000 to 204800" in refused(Left(honest, made, tmp_path / "scratch").check())


MANIFESTS = (_far_away, _vast, _many_patches, _no_patches, _tiny_packets)


@pytest.mark.parametrize("change", MANIFESTS)
def test_a_manifest_that_no_range_has_is_refused_before_anything_is_written(
    left: Left, change: Callable[[dict[str, Any]], None]
) -> None:
    path = left.folder / PACKETS / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    _resealed(left)
    refused(left.check())
    refused(left.check_offline())


ALTERED: dict[str, Callable[[Path], object]] = {
    "a byte of a packet": lambda left: _flip(left / PACKETS / "packet_002.txt", 1000),
    "the last byte of a packet": lambda left: _flip(left / PACKETS / "packet_001.txt", -1),
    "a byte of the binary part": lambda left: _flip(left / PACKETS / "opaque.patch", 10),
    "a byte of the manifest": lambda left: _flip(left / PACKETS / "manifest.json", 300),
    "a byte of the list": lambda left: _flip(left / PACKETS / "CHANGED_FILES.txt", 3),
    "a byte of the how-to": lambda left: _flip(left / PACKETS / "HOW_TO_PASTE.txt", 3),
    "a byte of the readme": lambda left: _flip(left / metas.README_NAME, 3),
    "a byte of the notice": lambda left: _flip(left / metas.BUNDLE_NAME, 3),
    "a list of the notice's own": lambda left: _flip(left / metas.BUNDLE_NAME, -5),
    "a long notice": lambda left: (left / metas.BUNDLE_NAME).write_bytes(
        b"SIZE_CAP_EXCEEDED\n" + b"approve " * 9999
    ),
    "a word of its own in the notice": lambda left: (left / metas.BUNDLE_NAME).write_bytes(
        (left / metas.BUNDLE_NAME)
        .read_bytes()
        .replace(b"\n\n", b"\n\n\x1b[2JAPPROVED\nchanged files:\n(none)\n", 1)
    ),
    "another range in the notice": lambda left: (left / metas.BUNDLE_NAME).write_bytes(
        (left / metas.BUNDLE_NAME).read_bytes().replace(b"\nrange: ", b"\nrange: 0", 1)
    ),
    "no packet": lambda left: (left / PACKETS / "packet_002.txt").unlink(),
    "no binary part": lambda left: (left / PACKETS / "opaque.patch").unlink(),
    "no manifest": lambda left: (left / PACKETS / "manifest.json").unlink(),
    "no how-to": lambda left: (left / PACKETS / "HOW_TO_PASTE.txt").unlink(),
    "no readme": lambda left: (left / metas.README_NAME).unlink(),
    "no notice": lambda left: (left / metas.BUNDLE_NAME).unlink(),
    "no archive": lambda left: (left / ARCHIVE).unlink(),
    "one packet more": lambda left: (left / PACKETS / "packet_999.txt").write_text("all is well"),
    "a stranger among them": lambda left: (left / PACKETS / "VERDICT.txt").write_text("APPROVED"),
    "other packets beside": lambda left: shutil.copytree(
        left / PACKETS, left / "review_packets/20990101T000000Z"
    ),
    "the other archive beside": lambda left: (
        left / next(name for name in metas.ARCHIVE_NAMES if name != ARCHIVE)
    ).write_bytes(b"other packets"),
    "an archive of nothing": lambda left: claims.pack(left / ARCHIVE, [], tarfile.GNU_FORMAT),
}


@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED)
def test_whatever_is_altered_missing_or_added_is_found(
    left: Left, alter: Callable[[Path], object]
) -> None:
    alter(left.folder)
    refused(left.check())
    refused(left.check_offline())


def test_a_git_that_does_not_answer_is_no_answer(left: Left, tmp_path: Path) -> None:
    """Neither believed nor held against the job: nothing is known."""
    slow = mirrors_in(tmp_path, timeout_s=0.0001)
    mirror = slow.open(str(left.honest.repo), local=True)
    shutil.copytree(left.honest.mirror.objects.parent, mirror.objects.parent)
    with pytest.raises(UnavailableError, match="GIT_TIMEOUT"):
        left.check(mirror=mirror)
    slow.close()
