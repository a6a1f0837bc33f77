"""Sealing: once, and whole or not at all."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from runner.adapters.job_folders import JobFolder, JobFolders
from runner.adapters.signing import Signer
from runner.errors import BugError, BusyError, UnavailableError
from runner.flows.seal import seal
from runner.flows.verify import verify
from runner.model.verification import Verdict
from tests.support import records
from tests.support.forked import in_child, limit_files_to


def test_a_sealed_record_is_read_back_as_it_was(folder: JobFolder, signer: Signer) -> None:
    record = records.artifact(folder)
    assert seal(folder, record, signer)
    assert folder.artifact() == record
    assert folder.sealed() == record
    assert sorted(os.listdir(folder.path)) == [
        "SHA256SUMS",
        "artifact.dsse.json",
        "artifact.json",
        "outputs",
        "plan.json",
        "stderr.log",
        "stdout.log",
    ]


def test_the_first_sealed_record_stands(root: Path, folder: JobFolder, signer: Signer) -> None:
    first = records.artifact(folder)
    assert seal(folder, first, signer)
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    assert not seal(folder, records.artifact(folder, hostname="later"), signer)
    assert folder.artifact() == first
    assert before == {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with pytest.raises(BugError, match="JOB_SEALED"):
        folder.discard()


def test_nobody_seals_what_somebody_else_executes(
    root: Path, folder: JobFolder, signer: Signer
) -> None:
    record = records.artifact(folder)
    other = JobFolders(root).open(records.JOB_ID)
    with folder.hold():
        with pytest.raises(BusyError):
            seal(other, record, signer)
        assert seal(folder, record, signer)


def test_sha256sum_agrees_also_on_names_with_backslashes(folder: JobFolder, signer: Signer) -> None:
    (folder.outputs / "back\\slash n\\n \u00e9.txt").write_bytes(b"x")
    outputs = tuple(
        records.output(folder, path.relative_to(folder.path).as_posix())
        for path in sorted(folder.outputs.iterdir())
    )
    assert seal(folder, records.artifact(folder, outputs=outputs), signer)
    done = subprocess.run(
        ["/usr/bin/sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=folder.path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b": OK") == 6
    assert verify(folder.path, records.trust(signer)).overall is Verdict.VALID


def test_outputs_that_the_record_does_not_name_are_not_kept(
    folder: JobFolder, signer: Signer
) -> None:
    """Such as those of a collection that its worker didn't live to finish."""
    (folder.outputs / "half/deep").mkdir(parents=True)
    (folder.outputs / "half/deep/file").write_bytes(b"x")
    assert seal(folder, records.artifact(folder), signer)
    assert [path.name for path in folder.outputs.rglob("*")] == ["report.txt"]


@pytest.mark.parametrize("size", [0, 100, 1000, 3000])
def test_a_disk_that_fills_up_while_sealing_leaves_no_half_record(
    folder: JobFolder, signer: Signer, size: int
) -> None:
    """At each of the files, and a later sealing works."""
    record = records.artifact(folder)

    def on_a_small_disk() -> None:
        limit_files_to(size)
        with pytest.raises(UnavailableError, match="DISK_FULL"):
            seal(folder, record, signer)

    in_child(on_a_small_disk)
    assert folder.artifact() is None
    assert seal(folder, record, signer)
    assert verify(folder.path, records.trust(signer)).overall is Verdict.VALID


STEPS = ["replace", "link", "fsync", "unlink"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", range(1, 9))
def test_killed_at_any_step_of_sealing_there_is_a_whole_record_or_none(
    folder: JobFolder, signer: Signer, step: str, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL right before the nth call of each system call that matters."""
    record = records.artifact(folder)
    real = getattr(os, step)

    def die() -> None:
        calls = 0

        def deadly(*args: object, **more: object) -> object:
            nonlocal calls
            calls += 1
            if calls == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **more)

        monkeypatch.setattr(os, step, deadly)
        seal(folder, record, signer)
        os.kill(os.getpid(), signal.SIGKILL)  # there was no nth call

    in_child(die, killed=True)
    if (folder.path / "artifact.json").exists():
        got = verify(folder.path, records.trust(signer))
        assert got.overall is Verdict.VALID, got.checks
    seal(folder, record, signer)
    assert folder.artifact() == record
    got = verify(folder.path, records.trust(signer))
    assert got.overall is Verdict.VALID, got.checks
    assert not [name for name in os.listdir(folder.path) if name.startswith(".")]


def _fill(path: Path) -> None:
    """Writes until the kernel says that there is no space left."""
    with open(path, "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(b"x" * 4096):
            pass
    assert os.statvfs(path).f_bavail == 0


@pytest.mark.needs_root
def test_with_the_reserve_a_full_disk_can_be_sealed_on(tmp_path: Path, signer: Signer) -> None:
    """A real file system of 2 MiB, full to the last block."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this root may not mount")
    try:
        folder = records.accept(disk / "artifacts")
        record = records.artifact(folder)
        folder.reserve()
        _fill(disk / "ballast")
        with pytest.raises(UnavailableError, match="DISK_FULL"):
            records.accept(disk / "artifacts", "20260102-030406-00112233aa")
        assert JobFolders(disk / "artifacts").ids() == (records.JOB_ID,)
        assert seal(folder, record, signer)
        assert verify(folder.path, records.trust(signer)).overall is Verdict.VALID
    finally:
        subprocess.run(["/usr/bin/umount", str(disk)], check=True)
