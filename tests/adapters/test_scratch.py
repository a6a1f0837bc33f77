"""A job's private folder, and removing whatever lies in one."""

import os
import stat
from pathlib import Path

import pytest

from runner.adapters.scratch import private_folder, remove


def test_it_is_empty_passable_not_listable_and_gone_afterwards(tmp_path: Path) -> None:
    with private_folder(tmp_path, "job") as folder:
        assert list(folder.iterdir()) == []
        for step in (folder, folder.parent):
            assert stat.S_IMODE(step.stat().st_mode) == 0o711
        (folder / "left").write_text("behind")
    assert list(tmp_path.iterdir()) == []


def test_its_name_is_another_one_each_time(tmp_path: Path) -> None:
    with private_folder(tmp_path, "job") as first:
        pass
    with private_folder(tmp_path, "job") as second:
        assert first.parent == second.parent == tmp_path / "job"
        assert first != second


def test_what_a_killed_predecessor_left_goes_first(tmp_path: Path) -> None:
    (tmp_path / "job/old/deep").mkdir(parents=True)
    with private_folder(tmp_path, "job") as folder:
        assert list(folder.parent.iterdir()) == [folder]


def test_removes_what_is_closed_deep_and_oddly_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/new\nline").write_text("x")
    (folder / os.fsdecode(b"\xff")).mkdir(mode=0)
    os.mkfifo(folder / "a/fifo")
    fd = os.open(folder / "a", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    (folder / "a").chmod(0)
    folder.chmod(0)
    remove(folder)
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    outside.chmod(0o755)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/link").symlink_to(outside)
    remove(tmp_path / "folder")
    (tmp_path / "link").symlink_to(outside)
    with pytest.raises(NotADirectoryError):
        remove(tmp_path / "link")
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755
    assert (outside / "kept").read_text() == "kept"


def test_what_is_not_there_needs_no_removing(tmp_path: Path) -> None:
    remove(tmp_path / "nothing")
