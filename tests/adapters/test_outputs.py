"""Collecting outputs: what is taken is exact, what isn't is named, and nothing is followed."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.adapters import outputs
from runner.adapters.outputs import Collected, collect
from runner.errors import UnavailableError
from tests.support.forked import in_child


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The folder that was the job's ``$ARTIFACT_DIR``."""
    folder = tmp_path / "left"
    folder.mkdir()
    return folder


def take(left: Path, *, max_files: int = 100, max_bytes: int = 1 << 20, **caps: int) -> Collected:
    """Collects into ``collected`` beside ``left``."""
    fd = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return collect(
            fd, left.parent / "collected", max_files=max_files, max_bytes=max_bytes, **caps
        )
    finally:
        os.close(fd)


def test_regular_files_are_copied_hashed_and_sorted(left: Path) -> None:
    (left / "b.json").write_bytes(b"{}")
    (left / "a/deep").mkdir(parents=True)
    (left / "a/deep/x.txt").write_bytes(b"x" * 3_000_000)
    (left / "empty").mkdir()
    got = take(left, max_bytes=4_000_000)
    assert [o.path for o in got.outputs] == ["outputs/a/deep/x.txt", "outputs/b.json"]
    assert [o.size_bytes for o in got.outputs] == [3_000_000, 2]
    assert [o.media_type for o in got.outputs] == ["text/plain", "application/json"]
    copy = left.parent / "collected/a/deep/x.txt"
    assert got.outputs[0].sha256 == hashlib.sha256(copy.read_bytes()).hexdigest()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert (got.refused, got.limit_hit) == ((), "")


def test_no_outputs_are_fine(left: Path) -> None:
    assert take(left) == Collected((), (), "")


def test_what_an_interrupted_collection_left_is_gone(left: Path) -> None:
    (left.parent / "collected").mkdir()
    (left.parent / "collected/half").write_bytes(b"half")
    take(left)
    assert not any((left.parent / "collected").iterdir())


def test_files_over_the_count_are_not_looked_at(left: Path) -> None:
    for number in range(30):
        (left / f"{number}").touch()
    got = take(left, max_files=7)
    assert (len(got.outputs), got.limit_hit) == (7, "output_files")


def test_exactly_the_caps_are_no_limit_hit(left: Path) -> None:
    for number in range(7):
        (left / f"{number}").write_bytes(b"12345")
    got = take(left, max_files=7, max_bytes=35)
    assert (len(got.outputs), got.limit_hit) == (7, "")


def test_a_file_over_what_is_left_is_refused_and_smaller_ones_are_taken(left: Path) -> None:
    (left / "big").write_bytes(b"x" * 101)
    (left / "small").write_bytes(b"x" * 100)
    got = take(left, max_bytes=100)
    assert [o.path for o in got.outputs] == ["outputs/small"]
    assert [(r.path, r.why.split()[0]) for r in got.refused] == [("big", "101")]
    assert got.limit_hit == "output_bytes"


def test_refusals_are_bounded(left: Path) -> None:
    for number in range(150):
        (left / f"{number:03}").symlink_to("x")
    got = take(left)
    assert len(got.refused) == outputs.MAX_REFUSED + 1
    assert got.refused[-1].why == "and 50 more"


def test_permissions_that_a_job_took_from_its_files_hide_nothing(left: Path) -> None:
    (left / "closed").mkdir()
    (left / "closed/file").write_bytes(b"x")
    (left / "closed/file").chmod(0)
    (left / "closed").chmod(0)
    (left / "unsearchable").mkdir()
    (left / "unsearchable/file").write_bytes(b"x")
    (left / "unsearchable").chmod(0o400)
    fd = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
    left.chmod(0)
    got = collect(fd, left.parent / "collected", max_files=9, max_bytes=9)
    os.close(fd)
    assert [o.path for o in got.outputs] == ["outputs/closed/file", "outputs/unsearchable/file"]
    assert got.refused == ()


def test_a_folder_is_collected_by_a_descriptor_that_only_names_it(left: Path) -> None:
    """The sandbox may have pinned it with ``O_PATH``."""
    (left / "file").write_bytes(b"x")
    fd = os.open(left, os.O_PATH)
    got = collect(fd, left.parent / "collected", max_files=9, max_bytes=9)
    os.close(fd)
    assert len(got.outputs) == 1


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_gives_its_space_back(left: Path, error: int) -> None:
    """The write fails as the kernel's does; /dev/full can't be a folder, so errno is raised."""
    (left / "file").write_bytes(b"x")

    def full(self: object, source: int, path: str, found: os.stat_result) -> str:
        raise OSError(error, os.strerror(error))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs._Collection, "_copy", full)
        with pytest.raises(UnavailableError, match="DISK_FULL"):
            take(left)
    assert not (left.parent / "collected").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"longer than it was"),
        lambda path: path.write_bytes(b"ot"),
        lambda path: os.link(path, path.parent / "second name"),
    ],
    ids=["grown", "shrunk", "linked"],
)
def test_a_file_that_changes_while_it_is_read_is_refused(
    left: Path, change: Callable[[Path], object]
) -> None:
    (left / "file").write_bytes(b"123456")
    opened = outputs._open

    def open_then_change(folder: int, name: str, flags: int, found: os.stat_result) -> int:
        fd = opened(folder, name, flags, found)
        change(left / name)
        return fd

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs, "_open", open_then_change)
        got = take(left)
    assert [o.path for o in got.outputs if o.path == "outputs/file"] == []
    assert "it changed while it was read" in [r.why for r in got.refused]
    assert not (left.parent / "collected/file").exists()


@pytest.mark.parametrize("instead", ["link", "other file", "fifo", "nothing"])
def test_a_file_replaced_between_looking_and_opening_is_refused(left: Path, instead: str) -> None:
    (left / "file").write_bytes(b"123456")
    (left.parent / "secret").write_bytes(b"secret")
    opened = outputs._open

    def replace_then_open(folder: int, name: str, flags: int, found: os.stat_result) -> int:
        path = left / name
        path.rename(left.parent / "moved")
        if instead == "link":
            path.symlink_to(left.parent / "secret")
        elif instead == "other file":
            path.write_bytes(b"123456")
        elif instead == "fifo":
            os.mkfifo(path)
        return opened(folder, name, flags, found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs, "_open", replace_then_open)
        got = take(left)
    assert got.outputs == ()
    assert [r.path for r in got.refused] == ["file"]


def test_many_open_folders_are_closed_again(left: Path) -> None:
    (left / "a/b/c").mkdir(parents=True)

    def collect_often() -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            take(left)
        assert len(os.listdir("/proc/self/fd")) == before

    in_child(collect_often)
