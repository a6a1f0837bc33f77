"""Hashing the wrappers folder."""

import hashlib
import os
from pathlib import Path

import pytest

from runner.adapters.allowlists.wrappers import read_wrappers
from runner.errors import ConfigurationError


def refuses(folder: Path, words: str) -> None:
    """Fails unless the folder is refused with these words."""
    with pytest.raises(ConfigurationError, match=words) as refusal:
        read_wrappers(folder)
    assert refusal.value.code == "WRAPPERS_INVALID"


def test_every_file_is_hashed_by_its_relative_path(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "b.sh").write_bytes(b"b")
    (tmp_path / "lib/a.py").write_bytes(b"a")
    (tmp_path / ".hidden").write_bytes(b"h")
    (tmp_path / "b.sh").chmod(0o755)
    found = read_wrappers(tmp_path)
    assert found.sha256 == {
        ".hidden": hashlib.sha256(b"h").hexdigest(),
        "b.sh": hashlib.sha256(b"b").hexdigest(),
        "lib/a.py": hashlib.sha256(b"a").hexdigest(),
    }
    assert found.executable == {"b.sh"}


def test_a_link_inside_is_taken_for_the_file_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").symlink_to("a")
    digests = read_wrappers(tmp_path).sha256
    assert digests["a"] == digests["b"]


def test_the_folder_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a").write_bytes(b"a")
    (tmp_path / "link").symlink_to("real")
    assert list(read_wrappers(tmp_path / "link").sha256) == ["a"]


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w2").write_bytes(b"a")  # a name that the folder's own is a prefix of
    (tmp_path / "w/a").symlink_to("../w2")
    refuses(tmp_path / "w", "leaves the folder")


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "link").symlink_to("lib")
    refuses(tmp_path, "link to a folder")


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("nothing")
    refuses(tmp_path, "No such file")


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    refuses(tmp_path, "Too many levels")


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    refuses(tmp_path, "neither a file nor a folder")


def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a\nb").write_bytes(b"")
    refuses(tmp_path, r"a\\nb")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_bytes(b"")
    refuses(tmp_path, "can't be shown")


def test_a_missing_folder_is_refused_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_wrappers(tmp_path / "none")
    assert "AIOPS_WRAPPERS_DIR" in refusal.value.remedy


@pytest.mark.needs_ordinary_user
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "a").chmod(0)
    refuses(tmp_path, "Permission denied")
