"""Measuring a folder that somebody hostile is writing to."""

import os
import sys
from pathlib import Path

import pytest

from runner.adapters.sandbox.folder_size import FolderSize, allocated_bytes


def test_counts_what_files_occupy_at_every_depth(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    empty = allocated_bytes(tmp_path)
    for path in ("x", "a/x", "a/b/x"):
        (tmp_path / path).write_bytes(b"x" * 100_000)
    assert 300_000 <= allocated_bytes(tmp_path) - empty <= 330_000


def test_empty_files_are_not_free(tmp_path: Path) -> None:
    before = allocated_bytes(tmp_path)
    for number in range(100):
        (tmp_path / str(number)).touch()
    assert allocated_bytes(tmp_path) - before >= 100 * 512


def test_a_sparse_file_counts_as_what_it_occupies(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert allocated_bytes(tmp_path) < 1 << 20


def test_links_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/big").write_bytes(b"x" * 1_000_000)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "folder").symlink_to(tmp_path / "outside")
    (inside / "file").symlink_to(tmp_path / "outside/big")
    (inside / "loop").symlink_to(inside)
    assert allocated_bytes(inside) < 100_000


def test_a_link_in_place_of_the_folder_itself_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(OSError, match="link"):
        allocated_bytes(tmp_path / "link")


def test_more_entries_than_any_build_has_are_countless(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).touch()
    assert allocated_bytes(tmp_path, max_entries=20) < sys.maxsize
    assert allocated_bytes(tmp_path, max_entries=19) == sys.maxsize


def test_more_levels_than_any_build_has_are_countless_and_hold_no_descriptor(
    tmp_path: Path,
) -> None:
    """A tree deeper than PATH_MAX, as mkdir and chdir make it."""
    before = len(os.listdir("/proc/self/fd"))
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(150):
        os.mkdir("d" * 50, dir_fd=fd)
        below = os.open("d" * 50, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    assert allocated_bytes(tmp_path) == sys.maxsize
    assert allocated_bytes(tmp_path, max_depth=200) < 10_000_000
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.needs_ordinary_user
def test_a_folder_that_may_not_be_listed_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "file").write_bytes(b"x" * 50_000)
    assert 50_000 <= allocated_bytes(tmp_path) < 100_000


def test_is_not_measured_again_too_soon(tmp_path: Path) -> None:
    size = FolderSize(tmp_path)
    first = size.measure(1000.0)
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    assert size.measure(1000.0) == first
    assert size.measure(2000.0) > first
