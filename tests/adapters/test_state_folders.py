"""The folders of the state and who gets into them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.adapters.state_folders import first_impassable, prepare_state
from runner.errors import ConfigurationError
from runner.model.state import StatePaths
from runner.settings import state_paths
from tests.support.catalogs import write_configuration

PRIVATE = ("artifacts", "locks", "keys", "redis", "trust", "quarantine")
PASSABLE = ("root", "mirrors", "checkouts", "scratch")


@pytest.fixture(name="paths")
def _paths(tmp_path: Path) -> StatePaths:
    return state_paths(write_configuration(tmp_path))


@pytest.fixture(name="strict_umask")
def _strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode_of(folder: Path) -> int:
    """The permission bits of ``folder``."""
    return stat.S_IMODE(folder.stat().st_mode)


def refuses(paths: StatePaths, words: str) -> ConfigurationError:
    """Fails unless the state is refused with these words."""
    with pytest.raises(ConfigurationError, match=words) as refusal:
        prepare_state(paths, os.getuid())
    assert refusal.value.code == "STATE_DIR_UNUSABLE"
    return refusal.value


def test_a_first_start_makes_every_folder_and_a_second_changes_nothing(paths: StatePaths) -> None:
    for _ in range(2):
        prepare_state(paths, os.getuid())
        assert all(folder.is_dir() for folder in paths.model_dump().values())
        assert {name: mode_of(getattr(paths, name)) for name in PRIVATE} == dict.fromkeys(
            PRIVATE, 0o700
        )


@pytest.mark.needs_root
def test_another_uid_can_pass_to_what_jobs_need_whatever_the_umask(
    paths: StatePaths, strict_umask: None
) -> None:
    deeper = paths.model_copy(update={"scratch": paths.root / "a/b/scratch"})
    prepare_state(deeper, 0)
    for name in PASSABLE:
        assert mode_of(getattr(deeper, name)) == 0o711, name
    assert mode_of(paths.root / "a/b") == 0o711


@pytest.mark.needs_ordinary_user
def test_an_ordinary_users_state_is_private(paths: StatePaths) -> None:
    prepare_state(paths, os.getuid())
    for name in PASSABLE:
        assert mode_of(getattr(paths, name)) == 0o700, name


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("mode", [0o755, 0o710, 0o704])
def test_a_private_folder_that_is_open_is_refused_and_left_alone(
    paths: StatePaths, name: str, mode: int
) -> None:
    prepare_state(paths, os.getuid())
    getattr(paths, name).chmod(mode)
    refusal = refuses(paths, "lets others in")
    assert f"chmod 700 {getattr(paths, name)}" in refusal.remedy
    assert mode_of(getattr(paths, name)) == mode


def test_a_root_folder_like_tmp_is_refused_and_keeps_its_mode(paths: StatePaths) -> None:
    paths.root.mkdir()
    paths.root.chmod(0o1777)
    refuses(paths, "lets others in")
    assert mode_of(paths.root) == 0o1777


def test_a_link_in_a_folders_place_is_refused(paths: StatePaths, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    paths.root.mkdir(mode=0o700)
    paths.keys.symlink_to(tmp_path / "elsewhere")
    refuses(paths, "a link or a file")


def test_a_dangling_link_is_refused(paths: StatePaths) -> None:
    paths.root.mkdir(mode=0o700)
    paths.keys.symlink_to("nothing")
    refuses(paths, "a link or a file")


def test_a_file_in_a_folders_place_is_refused(paths: StatePaths) -> None:
    paths.root.mkdir(mode=0o700)
    paths.keys.write_text("")
    refuses(paths, "a link or a file")


@pytest.mark.needs_root
def test_a_folder_of_somebody_elses_is_refused(paths: StatePaths) -> None:
    prepare_state(paths, 0)
    os.chown(paths.keys, 65534, 65534)
    refuses(paths, "belongs to uid 65534")


@pytest.mark.needs_ordinary_user
def test_a_place_where_nothing_can_be_made_is_refused(paths: StatePaths) -> None:
    refuses(paths.model_copy(update={"root": Path("/proc/x/state")}), "/proc/x/state")


def test_the_first_closed_folder_on_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed/inner").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    found = first_impassable(tmp_path / "closed/inner")
    assert found is not None
    assert (tmp_path / "closed").is_relative_to(found)
    assert first_impassable(Path("/usr/bin")) is None
