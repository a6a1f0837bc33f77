"""Files are written whole or not at all, and hostile ones are read as what they are."""

import os
import resource
import signal
import tarfile
from pathlib import Path

import pytest

from runner.adapters.packet_files import Archive, PacketFolder, put


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    put(tmp_path, "a", b"one")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            put(tmp_path, name, b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert not (tmp_path / "elsewhere").exists()


def test_an_archive_holds_what_was_put_into_it(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(3 << 20))
    with Archive(tmp_path / "a.tar.gz") as archive:
        for number in range(20):
            archive.add(f"packet_{number}", b"x" * number * 1000)
        archive.add_file("opaque.patch", tmp_path / "big")

    with tarfile.open(tmp_path / "a.tar.gz") as read:
        files = {member.name: read.extractfile(member) for member in read.getmembers()}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    assert len(contents) == 21
    assert contents["review_packets/packet_7"] == b"x" * 7000
    assert contents["review_packets/opaque.patch"] == (tmp_path / "big").read_bytes()


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with Archive(tmp_path / name) as archive:
            archive.add("packet_001.txt", b"x" * 100_000)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_is_left_of_an_archive_that_was_not_finished(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a")
    archive.add("x", b"x" * (3 << 20))
    with pytest.raises(FileNotFoundError), archive:
        archive.add_file("y", tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_an_archive_for_which_there_was_no_room(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that the write fails: setrlimit(2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"), Archive(tmp_path / "a") as archive:
            archive.add("x", os.urandom(2 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "packets"
    made.mkdir()
    (made / "a").write_bytes(b"12345")
    return made


def test_a_regular_file_is_read(folder: Path) -> None:
    with PacketFolder(folder) as packets:
        assert packets.names() == {"a"}
        assert packets.size("a") == 5
        assert packets.read("a", max_bytes=5) == b"12345"


def test_a_file_that_is_too_large_is_not_read(folder: Path) -> None:
    with PacketFolder(folder) as packets, pytest.raises(ValueError, match="5 bytes"):
        packets.read("a", max_bytes=4)


@pytest.mark.parametrize("name", ["link", "pipe", "folder", "none", "../packets/a", "", ".", ".."])
def test_anything_else_is_no_file(folder: Path, name: str) -> None:
    (folder / "link").symlink_to("a")
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    with PacketFolder(folder) as packets, pytest.raises(ValueError, match=name or "name"):
        packets.read(name, max_bytes=100)


def test_a_link_to_a_folder_is_no_folder_of_packets(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    for place in ("link", "packets/a", "none"):
        with pytest.raises(OSError, match="directory"):
            PacketFolder(tmp_path / place)
