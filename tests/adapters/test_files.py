"""Durable writes: what is told to be on the disk was synced, in the order that makes it true."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.adapters import files
from runner.adapters.signing import load_or_create
from runner.flows.seal import seal
from tests.support import records


class _Watched:
    """The system calls that make names and content durable, in the order in which they ended."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.said: list[tuple[str, str]] = []
        fsync: Callable[[int], None] = os.fsync
        link = os.link

        def watched_fsync(fd: int) -> None:
            fsync(fd)
            self.said.append(("sync", Path(os.readlink(f"/proc/self/fd/{fd}")).name))

        def watched_link(source: Path, target: Path, *, follow_symlinks: bool = True) -> None:
            link(source, target, follow_symlinks=follow_symlinks)
            self.said.append(("link", Path(target).name))

        patch.setattr(os, "fsync", watched_fsync)
        patch.setattr(os, "link", watched_link)

    def synced_before(self, name: str) -> set[str]:
        """What was synced before something was linked as ``name``."""
        before = self.said[: self.said.index(("link", name))]
        return {what for call, what in before if call == "sync"}


def test_a_record_appears_only_after_everything_that_it_names_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = load_or_create(tmp_path / "keys")
    folder = records.accept(tmp_path / "artifacts")
    logs = records.write_logs(folder, b"out", b"err")
    names = ("outputs/deep/report.txt", "outputs/b.txt")
    for name in names:
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).write_text("what a job left")
    outputs = tuple(records.output(folder, name) for name in names)
    watched = _Watched(monkeypatch)
    assert seal(folder, records.artifact(folder, logs, outputs=outputs), signer)
    synced = watched.synced_before("artifact.json")
    assert {"stdout.log", "stderr.log", "report.txt", "b.txt"} <= synced
    assert {"SHA256SUMS", "artifact.dsse.json"} <= synced
    assert {"deep", "outputs", folder.path.name} <= synced
    assert any(name.startswith(".artifact.json.") for name in synced)
    assert watched.said[-1] == ("sync", folder.path.name)


def test_a_job_is_accepted_only_after_its_plan_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = _Watched(monkeypatch)
    folder = records.accept(tmp_path / "artifacts")
    assert set(watched.said[:2]) == {
        ("sync", "plan.json"),
        ("sync", f".accepting-{folder.job_id}"),
    }
    assert watched.said[2] == ("sync", "artifacts")


def test_of_two_that_create_one_wins_and_nothing_else_is_left(tmp_path: Path) -> None:
    files.create_durably(tmp_path / "name", b"first")
    with pytest.raises(FileExistsError):
        files.create_durably(tmp_path / "name", b"second")
    assert (tmp_path / "name").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["name"]


def test_what_cannot_be_put_in_place_leaves_the_old_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "name").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace_durably(tmp_path / "name", b"new")
    assert os.listdir(tmp_path) == ["name"]


def test_a_folder_that_is_reached_by_a_link_can_be_written_to(tmp_path: Path) -> None:
    """An operator may have put the state on another disk and left a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "state").symlink_to("real")
    files.replace_durably(tmp_path / "state" / "name", b"new")
    assert (tmp_path / "real" / "name").read_bytes() == b"new"


def test_one_file_that_cannot_be_synced_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(FileNotFoundError):
        files.sync_all((tmp_path / "there", tmp_path / "missing", tmp_path))
