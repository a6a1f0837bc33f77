"""A job can neither write nor forge its record, nor make the runner take what isn't its output."""

import hashlib
import json
import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.adapters.job_folders import JobFolder
from runner.adapters.outputs import Collected, collect
from runner.adapters.signing import Signer, load_or_create
from runner.flows.seal import seal
from runner.flows.verify import verify
from runner.model.job import Status
from runner.model.verification import CheckState, Verdict
from tests.support import records

SECRET = b"not the job's to read\n"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return load_or_create(tmp_path / "keys")


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """An accepted job with logs, whose outputs haven't been collected yet."""
    folder = records.accept(tmp_path / "artifacts")
    (folder.outputs / "report.txt").unlink()
    return folder


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What the job left in ``$ARTIFACT_DIR``: one honest file, and then the attack."""
    left = tmp_path / "left"
    left.mkdir()
    (left / "honest.txt").write_bytes(b"honest\n")
    return left


def take(left: Path, folder: JobFolder) -> Collected:
    """Collects as execute does; fails the test if that blocks."""
    fd = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
    signal.alarm(60)  # a collector that blocks ends the test instead of the night
    try:
        return collect(fd, folder.outputs, max_files=10_000, max_bytes=256 << 20)
    finally:
        signal.alarm(0)
        os.close(fd)


def only_the_honest_file(got: Collected, folder: JobFolder) -> None:
    """Fails unless exactly the honest file was taken."""
    assert [output.path for output in got.outputs] == ["outputs/honest.txt"]
    assert [path.name for path in folder.outputs.rglob("*")] == ["honest.txt"]


def test_symlinks_are_not_followed(left: Path, folder: JobFolder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    (left / "passwd").symlink_to("/etc/passwd")
    (left / "secret").symlink_to(tmp_path / "secret")
    (left / "stdout.log").symlink_to(folder.stdout)
    (left / "artifact.json").symlink_to(folder.path / "artifact.json")
    (left / "tree").symlink_to("/etc")
    got = take(left, folder)
    only_the_honest_file(got, folder)
    assert {entry.why for entry in got.refused} == {"a symbolic link"}
    assert len(got.refused) == 5


def test_hard_links_to_the_runners_files_are_not_taken(left: Path, folder: JobFolder) -> None:
    os.link(folder.stdout, left / "log")
    got = take(left, folder)
    only_the_honest_file(got, folder)
    assert "hard link" in got.refused[0].why
    assert folder.stdout.read_bytes() == b"hello\n"


def test_a_fifo_and_a_socket_do_not_block_the_runner(
    left: Path, folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(left / "fifo")
    monkeypatch.chdir(left)  # a socket's path ends at 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        got = take(left, folder)
    only_the_honest_file(got, folder)
    assert [entry.why for entry in got.refused] == ["a FIFO", "a socket"]


@pytest.mark.needs_root
def test_devices_are_not_opened(left: Path, folder: JobFolder) -> None:
    os.mknod(left / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    os.mknod(left / "loop", stat.S_IFBLK | 0o666, os.makedev(7, 0))
    got = take(left, folder)
    only_the_honest_file(got, folder)
    assert [entry.why for entry in got.refused] == ["a block device", "a character device"]


def test_names_that_deceive_are_not_taken_and_shown_harmlessly(
    left: Path, folder: JobFolder
) -> None:
    for name in (b"new\nline", b"\x1b[2Jclear", b"\xff\xfe", "a\u202etxt.exe".encode(), b"\x7f"):
        with open(bytes(left) + b"/" + name, "wb"):
            pass
    got = take(left, folder)
    only_the_honest_file(got, folder)
    assert sorted(entry.path for entry in got.refused) == sorted(
        ["new\\x0aline", "\\x1b[2Jclear", "\\xff\\xfe", "a\\u202etxt.exe", "\\x7f"]
    )


def test_a_terabyte_that_is_not_there_is_counted_as_one(left: Path, folder: JobFolder) -> None:
    with open(left / "sparse", "wb") as file:
        file.truncate(1 << 40)
    got = take(left, folder)
    only_the_honest_file(got, folder)
    assert got.limit_hit == "output_bytes"


def test_twenty_thousand_files_stop_at_the_cap(left: Path, folder: JobFolder) -> None:
    for number in range(20_000):
        os.close(os.open(left / f"{number}", os.O_WRONLY | os.O_CREAT))
    got = take(left, folder)
    assert (len(got.outputs), got.limit_hit) == (10_000, "output_files")


def test_a_tree_five_thousand_deep_stops_at_the_cap(left: Path, folder: JobFolder) -> None:
    fd = os.open(left, os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    got = take(left, folder)
    only_the_honest_file(got, folder)
    assert got.refused[0].why == "more than 32 folders deep"
    _unnest(left)


def _unnest(left: Path) -> None:
    """Removes the nest level by level: deeper than most tools that clean up will go."""
    while (left / "d").exists():
        os.rename(left / "d", left / "gone")
        if (left / "gone/d").exists():
            os.rename(left / "gone/d", left / "d")
        os.rmdir(left / "gone")


def test_a_record_of_the_jobs_own_making_is_only_an_output(
    left: Path, folder: JobFolder, signer: Signer
) -> None:
    """Files called like the runner's are collected below outputs/, and prove nothing."""
    forged = json.dumps({"status": "success", "invariants": {"clean_tree_ok": True}})
    (left / "artifact.json").write_text(forged)
    (left / "SHA256SUMS").write_text("0" * 64 + "  artifact.json\n")
    (left / "artifact.dsse.json").mkdir()
    (left / "stdout.log").write_text("all tests passed\n")
    got = take(left, folder)
    record = records.artifact(
        folder, outputs=got.outputs, exit_code=1, status=Status.FAILURE, reason="EXIT_CODE"
    )
    assert seal(folder, record, signer)
    sealed = folder.artifact()
    assert sealed is not None
    assert sealed.status == "failure"
    assert folder.stdout.read_bytes() == b"hello\n"
    assert (folder.outputs / "artifact.json").read_text() == forged
    trusted = records.trust(signer)
    assert verify(folder.path, trusted).overall is Verdict.VALID


def test_a_folder_called_artifact_json_stops_nothing(
    left: Path, folder: JobFolder, signer: Signer
) -> None:
    (left / "artifact.json").mkdir()
    (left / "artifact.json/inside").write_bytes(b"x")
    got = take(left, folder)
    assert seal(folder, records.artifact(folder, outputs=got.outputs), signer)
    trusted = records.trust(signer)
    assert verify(folder.path, trusted).overall is Verdict.VALID


def _edit(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def _resum(folder: Path) -> None:
    """Writes SHA256SUMS anew over what lies there, as a careful forger would."""
    lines = []
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        name = line.partition("  ")[2]
        if (folder / name).exists():
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            lines.append(f"{digest}  {name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))


def _hide_failure(folder: Path) -> None:
    _edit(folder / "artifact.json", b'"exit_code": 0', b'"exit_code": 1')


def _swap_commit(folder: Path) -> None:
    _edit(folder / "artifact.json", records.SHA.encode(), b"12" * 20)
    _edit(folder / "plan.json", records.SHA.encode(), b"12" * 20)


def _swap_output(folder: Path) -> None:
    (folder / "outputs/report.txt").write_bytes(b"all is ill.\n")


def _drop_output(folder: Path) -> None:
    (folder / "outputs/report.txt").unlink()


def _add_output(folder: Path) -> None:
    (folder / "outputs/more.txt").write_bytes(b"me too\n")


def _edit_log(folder: Path) -> None:
    (folder / "stdout.log").write_bytes(b"HELLO\n")


def _link_log(folder: Path) -> None:
    (folder / "stdout.log").unlink()
    (folder / "stdout.log").symlink_to("/etc/hostname")


def _fifo_record(folder: Path) -> None:
    (folder / "artifact.json").unlink()
    os.mkfifo(folder / "artifact.json")


def _no_signature(folder: Path) -> None:
    (folder / "artifact.dsse.json").unlink()


def _duplicate_key(folder: Path) -> None:
    _edit(folder / "artifact.json", b'"attempt": 1', b'"attempt": 2, "attempt": 1')


def _extra_key(folder: Path) -> None:
    _edit(folder / "artifact.json", b'"attempt": 1', b'"attempt": 1, "blessed": true')


TAMPERINGS = [
    _hide_failure,
    _swap_commit,
    _swap_output,
    _drop_output,
    _add_output,
    _edit_log,
    _link_log,
    _fifo_record,
    _no_signature,
    _duplicate_key,
    _extra_key,
]


@pytest.mark.parametrize("careful", [False, True], ids=["plain", "with new checksums"])
@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__.strip("_"))
def test_a_sealed_record_that_was_tampered_with_is_invalid(
    tmp_path: Path, signer: Signer, tamper: Callable[[Path], None], careful: bool
) -> None:
    folder = records.sealed(tmp_path / "artifacts", signer).path
    tamper(folder)
    if careful and not (folder / "artifact.json").is_fifo():
        _resum(folder)
    got = verify(folder, records.trust(signer))
    assert got.overall is Verdict.INVALID


def test_a_record_signed_by_another_key_is_not_valid(tmp_path: Path, signer: Signer) -> None:
    """Also where the forger puts the key beside the record, or names the trusted key."""
    forger = load_or_create(tmp_path / "forgers")
    folder = records.sealed(tmp_path / "artifacts", forger).path
    trusted = records.trust(signer)
    assert verify(folder, trusted).overall is Verdict.INTEGRITY_ONLY
    _edit(folder / "artifact.dsse.json", forger.key_id.encode(), signer.key_id.encode())
    assert verify(folder, trusted).overall is Verdict.INVALID


def test_a_signature_of_another_record_is_not_valid(tmp_path: Path, signer: Signer) -> None:
    one = records.sealed(tmp_path / "one", signer).path
    other = records.sealed(tmp_path / "other", signer, hostname="elsewhere").path
    (one / "artifact.dsse.json").write_bytes((other / "artifact.dsse.json").read_bytes())
    got = verify(one, records.trust(signer))
    assert got.overall is Verdict.INVALID
    assert [c.name for c in got.checks if c.state is CheckState.FAILED] == ["statement"]


def test_the_record_of_another_job_in_a_jobs_folder_is_not_valid(
    tmp_path: Path, signer: Signer
) -> None:
    folder = records.sealed(tmp_path / "artifacts", signer).path
    replayed = folder.rename(folder.with_name("20200101-000000-0123456789"))
    got = verify(replayed, records.trust(signer))
    assert got.overall is Verdict.INVALID
    assert [c.name for c in got.checks if c.state is CheckState.FAILED] == ["consistent"]


def test_a_copy_of_a_record_under_any_other_name_stays_valid(
    tmp_path: Path, signer: Signer
) -> None:
    folder = records.sealed(tmp_path / "artifacts", signer).path
    copy = folder.rename(tmp_path / "the-record-you-asked-for")
    assert verify(copy, records.trust(signer)).overall is Verdict.VALID


def test_an_untouched_record_stays_valid(tmp_path: Path, signer: Signer) -> None:
    folder = records.sealed(tmp_path / "artifacts", signer).path
    got = verify(folder, records.trust(signer))
    assert got.overall is Verdict.VALID, got.checks
    assert got.signed_by == signer.key_id
