"""Attacks on the embedded server's folders and life by others on the machine, and by kill -9."""

import os
import shutil
import socket
import stat
from pathlib import Path
from urllib.parse import unquote

import pytest

from runner.adapters.redis_server import EmbeddedRedis
from runner.adapters.redis_server.folders import make_private
from runner.errors import UnavailableError
from tests.support.redis_servers import UserProcess, client_of, server_pid, wait_for_end


def runtime_folder(server: EmbeddedRedis) -> Path:
    return Path(unquote(server.url.removeprefix("unix://"))).parent


def refuses(server: EmbeddedRedis, why: str) -> None:
    with pytest.raises(UnavailableError, match=why) as caught:
        server.__enter__()
    assert caught.value.code == "RUNTIME_FOLDER_UNSAFE"
    assert caught.value.remedy


def test_a_link_put_at_the_runtime_folder_s_place_is_refused(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "data", uid=os.getuid())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    runtime_folder(server).symlink_to(elsewhere)
    try:
        refuses(server, "isn't a folder")
    finally:
        runtime_folder(server).unlink()

    assert list(elsewhere.iterdir()) == []
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


def test_a_runtime_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    """They could have put a socket of their own there."""
    server = EmbeddedRedis(tmp_path / "data", uid=os.getuid())
    runtime_folder(server).mkdir()
    runtime_folder(server).chmod(0o777)
    try:
        refuses(server, "others may write")
    finally:
        runtime_folder(server).rmdir()


def test_a_link_put_there_later_makes_nobody_delete_through_it(tmp_path: Path) -> None:
    """Cleaners of /tmp remove the folder; its name is then free for others."""
    server = EmbeddedRedis(tmp_path / "data", uid=os.getuid())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "redis.sock").write_text("precious")
    with server:
        shutil.rmtree(runtime_folder(server))
        runtime_folder(server).symlink_to(elsewhere)
    runtime_folder(server).unlink()

    assert (elsewhere / "redis.sock").read_text() == "precious"


def test_a_runtime_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    me = os.getuid()
    if me == 0:
        os.chown(folder, 12345, 12345)
    else:
        me += 1  # the other way round: the same folder, seen by somebody else

    with pytest.raises(UnavailableError, match="belongs to uid") as caught:
        make_private(folder, uid=me)

    assert caught.value.code == "RUNTIME_FOLDER_UNSAFE"


def test_a_file_at_the_runtime_folder_s_place_is_refused(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "data", uid=os.getuid())
    runtime_folder(server).touch()
    try:
        refuses(server, "isn't a folder")
    finally:
        runtime_folder(server).unlink()


def test_still_allows_ones_own_left_over_folder_with_a_dead_socket(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "data", uid=os.getuid())
    runtime_folder(server).mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(runtime_folder(server) / "redis.sock"))

    with server, client_of(server.url) as client:
        assert client.ping()


def test_a_user_killed_with_9_leaves_no_server_and_loses_no_data(tmp_path: Path) -> None:
    user = UserProcess(tmp_path)
    user.wait_until_in()
    server = EmbeddedRedis(tmp_path, uid=os.getuid())
    with client_of(server.url) as client:
        client.set("key", "kept")
    pidfd = os.pidfd_open(server_pid(tmp_path))

    user.kill()

    assert wait_for_end(pidfd)
    with server, client_of(server.url) as client:
        assert client.get("key") == b"kept"


def test_a_starter_killed_with_9_does_not_take_the_server_from_the_others(tmp_path: Path) -> None:
    starter = UserProcess(tmp_path)
    starter.wait_until_in()

    with EmbeddedRedis(tmp_path, uid=os.getuid()) as server, client_of(server.url) as client:
        client.set("key", "kept")
        starter.kill()
        assert client.get("key") == b"kept"
        pidfd = os.pidfd_open(server_pid(tmp_path))

    assert wait_for_end(pidfd, 0)


def test_all_users_killed_with_9_while_another_enters_leaves_it_a_working_server(
    tmp_path: Path,
) -> None:
    users = [UserProcess(tmp_path) for _ in range(3)]
    for user in users:
        user.wait_until_in()
    server = EmbeddedRedis(tmp_path, uid=os.getuid())
    with client_of(server.url) as client:
        client.set("key", "kept")

    for user in users:
        user.kill()
    # at once: a guard may be ending the old server now
    with server, client_of(server.url) as client:
        assert client.get("key") == b"kept"
        pidfd = os.pidfd_open(server_pid(tmp_path))

    assert wait_for_end(pidfd, 0)


def test_a_pid_file_that_names_another_process_gets_nobody_killed(tmp_path: Path) -> None:
    """What the file says is believed only while the server's own lock is held."""
    tmp_path.chmod(0o700)
    (tmp_path / "server.pid").write_text(f"{os.getpid()}\n")

    with EmbeddedRedis(tmp_path, uid=os.getuid()) as server, client_of(server.url) as client:
        assert client.ping()
        assert server_pid(tmp_path) != os.getpid()
