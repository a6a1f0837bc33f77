"""Job folders: accepted durably, held by one, sealed once, whole or not at all."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from runner.adapters import job_folders
from runner.adapters.job_folders import JobFolder, JobFolders
from runner.adapters.signing import Signer, load_or_create
from runner.errors import BugError, BusyError, IntegrityError, NotFoundError, UnavailableError
from runner.flows.seal import seal
from runner.flows.verify import verify
from runner.model.verification import Verdict
from tests.support import records
from tests.support.forked import in_child


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return load_or_create(tmp_path / "keys")


@pytest.fixture
def folder(root: Path) -> JobFolder:
    return records.accept(root)


def test_an_accepted_job_is_found_with_its_plan(root: Path, folder: JobFolder) -> None:
    assert JobFolders(root).open(records.JOB_ID).plan() == records.plan()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.artifact() is None


def test_a_job_is_accepted_once(root: Path, folder: JobFolder) -> None:
    with pytest.raises(BugError, match="JOB_EXISTS"):
        JobFolders(root).accept(records.plan())
    assert os.listdir(root) == [records.JOB_ID]


@pytest.mark.parametrize(
    "job_id",
    ["", ".", "..", "../x", "/etc", f"{records.JOB_ID}\n", f"{records.JOB_ID}/", "x" * 10**6, "\0"],
)
def test_what_has_not_the_form_of_an_id_is_no_job(
    root: Path, folder: JobFolder, job_id: str
) -> None:
    with pytest.raises(NotFoundError, match="JOB_UNKNOWN"):
        JobFolders(root).open(job_id)


def test_a_link_in_the_place_of_a_folder_is_no_job(root: Path, folder: JobFolder) -> None:
    other = "20260102-030406-00112233aa"
    (root / other).symlink_to(folder.path)
    with pytest.raises(NotFoundError):
        JobFolders(root).open(other)
    assert JobFolders(root).ids() == (records.JOB_ID,)


def test_ids_come_newest_first_and_without_strangers(root: Path) -> None:
    assert JobFolders(root).ids() == ()
    for day in ("05", "01", "03"):
        records.accept(root, f"202601{day}-030405-00112233aa")
    (root / ".accepting-20260109-030405-00112233aa").mkdir()
    (root / "lost+found").mkdir()
    assert [job_id[6:8] for job_id in JobFolders(root).ids()] == ["05", "03", "01"]


def test_a_plan_of_another_job_is_no_plan(root: Path, folder: JobFolder) -> None:
    other = "20260102-030406-00112233aa"
    shutil.copytree(folder.path, root / other)
    with pytest.raises(IntegrityError, match="PLAN_INVALID"):
        JobFolders(root).open(other).plan()


def test_a_job_is_held_by_one(root: Path, folder: JobFolder) -> None:
    other = JobFolders(root).open(records.JOB_ID)
    with folder.hold(), pytest.raises(BusyError, match="JOB_HELD"), other.hold():
        pass
    with other.hold():
        pass


def test_who_dies_holds_nothing(root: Path, folder: JobFolder) -> None:
    def die() -> None:
        with folder.hold():
            os.kill(os.getpid(), signal.SIGKILL)

    in_child(die, killed=True)
    with folder.hold():
        pass


def test_the_reserve_is_real_space_and_given_back(folder: JobFolder) -> None:
    folder.reserve()
    assert (folder.path / "reserve").stat().st_blocks * 512 >= job_folders.RESERVE_BYTES
    folder.release_reserve()
    folder.release_reserve()
    assert (folder.path / "reserve").stat().st_blocks == 0


def test_a_job_counts_as_begun_until_its_record_is_there(folder: JobFolder, signer: Signer) -> None:
    assert not folder.was_begun()
    folder.reserve()
    folder.release_reserve()
    assert folder.was_begun()
    assert seal(folder, records.artifact(folder), signer)
    assert not folder.was_begun()


def test_a_folder_without_a_record_is_not_tidied(folder: JobFolder) -> None:
    folder.reserve()
    with pytest.raises(BugError, match="JOB_NOT_SEALED"):
        folder.tidy()
    assert folder.was_begun()


def test_a_reserve_that_is_not_there_is_a_full_disk(folder: JobFolder) -> None:
    def on_a_small_disk() -> None:
        _limit_files_to(1000)
        with pytest.raises(UnavailableError, match="DISK_FULL"):
            folder.reserve()
        assert (folder.path / "reserve").stat().st_blocks == 0

    in_child(on_a_small_disk)


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


def _limit_files_to(size: int) -> None:
    """The largest file that this process may write: a full disk that needs no root."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [0, 100, 1000, 3000])
def test_a_disk_that_fills_up_while_sealing_leaves_no_half_record(
    folder: JobFolder, signer: Signer, size: int
) -> None:
    """At each of the files, and a later sealing works."""
    record = records.artifact(folder)

    def on_a_small_disk() -> None:
        _limit_files_to(size)
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
