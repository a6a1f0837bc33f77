import os
import stat
from pathlib import Path

import pytest

from runner.adapters.redis_server.folders import make_private, socket_path
from runner.errors import UnavailableError

ME = os.getuid()


def test_the_socket_lies_in_the_users_runtime_folder() -> None:
    path = socket_path(Path("/data"), uid=7, runtime_root=Path("/run/user/7"))

    assert path.is_relative_to("/run/user/7")


def test_without_a_runtime_folder_the_name_tells_users_and_data_apart() -> None:
    one = socket_path(Path("/data"), uid=7, runtime_root=None)

    assert str(one).startswith("/tmp/aiops-7-")
    assert one != socket_path(Path("/data"), uid=8, runtime_root=None)
    assert one != socket_path(Path("/other"), uid=7, runtime_root=None)


@pytest.mark.parametrize("length", [50, 80, 85, 90, 200, 4000])
def test_however_long_the_paths_the_sockets_fits(length: int) -> None:
    """A Unix socket's path ends at 107 bytes."""
    long = Path("/" + "é" * (length // 2))

    path = socket_path(long, uid=4294967294, runtime_root=long)

    assert len(os.fsencode(path)) <= 107


def test_two_spellings_of_one_data_folder_have_one_socket(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")

    assert socket_path(tmp_path / "link", uid=1, runtime_root=None) == socket_path(
        tmp_path / "data", uid=1, runtime_root=None
    )


def test_a_private_folder_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private(tmp_path / "a" / "b", uid=ME)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_ones_own_readable_folder_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir(mode=0o755)

    make_private(folder, uid=ME)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_an_unavailable_server(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UnavailableError, match="REDIS_UNAVAILABLE"):
        make_private(tmp_path / "file" / "a", uid=ME)
