import os
import shutil
import signal
import socket
from pathlib import Path
from urllib.parse import unquote

import pytest

from runner.adapters.redis_server import EmbeddedRedis
from runner.adapters.redis_server.binaries import find_server
from runner.errors import UnavailableError
from tests.support.processes import descendants
from tests.support.redis_servers import (
    ONLY_THE_WHEEL,
    UserProcess,
    client_of,
    server_pid,
    wait_for_end,
)

pytest_plugins = ("tests.support.redis_fixtures",)


def embedded(data_root: Path, search_path: str = ONLY_THE_WHEEL) -> EmbeddedRedis:
    return EmbeddedRedis(data_root, uid=os.getuid(), search_path=search_path)


def write(server: EmbeddedRedis, value: str) -> None:
    with client_of(server.url) as client:
        client.set("key", value)


def read(server: EmbeddedRedis) -> bytes | None:
    with client_of(server.url) as client:
        value = client.get("key")
        assert value is None or isinstance(value, bytes)
        return value


def socket_of(server: EmbeddedRedis) -> Path:
    return Path(unquote(server.url.removeprefix("unix://")))


def test_the_data_is_there_the_next_time(tmp_path: Path, search_path: str) -> None:
    with embedded(tmp_path, search_path) as server:
        write(server, "kept")

    with embedded(tmp_path, search_path) as server:
        assert read(server) == b"kept"


def test_it_says_what_runs(tmp_path: Path, search_path: str) -> None:
    with embedded(tmp_path, search_path) as server:
        assert server.kind in ("redis", "valkey")
        assert int(server.version.split(".")[0]) >= 6
        assert server.binary is not None
        assert server.binary.is_file()
        assert (tmp_path / f"{server.kind}-{server.version.split('.')[0]}").is_dir()


def test_it_is_durable_never_evicts_and_has_no_tcp_port(tmp_path: Path, search_path: str) -> None:
    with embedded(tmp_path, search_path) as server, client_of(server.url) as client:
        told = client.config_get("*")

        assert told["appendonly"] == "yes"
        assert told["appendfsync"] == "everysec"
        assert told["maxmemory-policy"] == "noeviction"
        assert told["port"] == "0"
        assert told["save"] == ""
        assert socket_of(server).stat().st_mode & 0o777 == 0o700
        assert socket_of(server).parent.stat().st_mode & 0o777 == 0o700


def fake_server(folder: Path, script: str) -> str:
    """A search path to a server of version 7 that is a shell script."""
    program = folder / "bin" / "redis-server"
    program.parent.mkdir()
    told = '[ "$1" = --version ] && { echo "Redis server v=7.0.0"; exit; }'
    program.write_text(f"#!/bin/sh\n{told}\n{script}\n")
    program.chmod(0o755)
    return str(program.parent)


def test_the_server_is_told_nothing_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "s3cret")
    path = fake_server(tmp_path, "/usr/bin/env >&2; exit 1")

    with pytest.raises(UnavailableError):
        embedded(tmp_path / "data", path).__enter__()

    assert "s3cret" not in (tmp_path / "data" / "redis-7" / "server.log").read_text()
    assert (tmp_path / "data" / "redis-7" / "server.log").read_text()


def test_an_old_pid_is_forgotten_before_a_new_server_starts(tmp_path: Path) -> None:
    """Else, for a moment, it would stand beside the lock of a server that lives."""
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "server.pid").write_text(f"{os.getpid()}")
    path = fake_server(tmp_path, "test -e ../server.pid && echo it is there; exit 1")

    with pytest.raises(UnavailableError, match="it said nothing"):
        embedded(tmp_path / "data", path).__enter__()


def test_a_ctrl_c_in_the_terminal_does_not_reach_the_server(tmp_path: Path) -> None:
    with embedded(tmp_path):
        assert os.getpgid(server_pid(tmp_path)) != os.getpgid(0)
        assert os.getsid(server_pid(tmp_path)) != os.getsid(0)


def test_the_last_one_out_leaves_no_process_and_no_socket(tmp_path: Path, search_path: str) -> None:
    before = descendants(os.getpid())
    with embedded(tmp_path, search_path) as server:
        pid = server_pid(tmp_path)
        assert socket_of(server).is_socket()

    assert not Path(f"/proc/{pid}").exists()
    assert not socket_of(server).parent.exists()
    assert descendants(os.getpid()) == before  # neither server nor guard is left as a zombie


def test_two_users_share_one_server_and_the_first_to_leave_does_not_stop_it(
    tmp_path: Path, search_path: str
) -> None:
    with embedded(tmp_path, search_path) as second:
        with embedded(tmp_path, search_path) as first:
            pid = server_pid(tmp_path)
            write(first, "shared")
        assert server_pid(tmp_path) == pid
        assert read(second) == b"shared"


def test_an_owner_that_leaves_first_hands_the_server_on(tmp_path: Path) -> None:
    owner = UserProcess(tmp_path)
    owner.wait_until_in()

    with embedded(tmp_path) as joined:
        write(joined, "before")
        owner.leave()
        assert read(joined) == b"before"
        pidfd = os.pidfd_open(server_pid(tmp_path))

    assert wait_for_end(pidfd, 0)


def test_many_who_enter_at_once_get_one_server(tmp_path: Path) -> None:
    users = [UserProcess(tmp_path) for _ in range(6)]
    for user in users:
        user.wait_until_in()

    servers = [
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _has_open(entry, tmp_path / "server.lock")
    ]
    pidfd = os.pidfd_open(server_pid(tmp_path))
    for user in users:
        user.leave()

    assert len(servers) == 1
    assert wait_for_end(pidfd)


def _has_open(process: Path, path: Path) -> bool:
    try:
        return any(fd.readlink() == path for fd in (process / "fd").iterdir())
    except OSError:
        return False


def test_a_data_folder_with_a_strange_and_long_name_works(tmp_path: Path) -> None:
    strange = tmp_path / ("x" * 120) / "a %41#b?c d"

    with embedded(strange) as server:
        write(server, "kept")
        assert len(os.fsencode(socket_of(server))) < 108


def test_the_runtime_folder_is_used_where_there_is_one(state_dir: Path, tmp_path: Path) -> None:
    runtime = state_dir / "run %2f"
    runtime.mkdir(mode=0o700)

    with EmbeddedRedis(tmp_path, uid=os.getuid(), runtime_root=runtime) as server:
        write(server, "kept")
        assert socket_of(server).is_relative_to(runtime)

    assert list(runtime.iterdir()) == []


def test_a_server_that_was_killed_is_started_again_with_its_data(
    tmp_path: Path, search_path: str
) -> None:
    with embedded(tmp_path, search_path) as server:
        write(server, "kept")
        pid = server_pid(tmp_path)
        pidfd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        assert wait_for_end(pidfd)

        with embedded(tmp_path, search_path):
            assert server_pid(tmp_path) != pid
            assert read(server) == b"kept"


def test_after_its_guard_was_killed_the_next_user_brings_another(tmp_path: Path) -> None:
    with embedded(tmp_path):
        first = _guard_of(tmp_path)
        pidfd = os.pidfd_open(first)
        os.kill(first, signal.SIGKILL)
        assert wait_for_end(pidfd)

        with embedded(tmp_path):
            assert _guard_of(tmp_path) != first


def _guard_of(data_root: Path) -> int:
    (found,) = (
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _has_open(entry, data_root / "guard.lock")
    )
    return found


def test_a_server_whose_socket_was_cleaned_away_is_replaced_not_doubled(tmp_path: Path) -> None:
    """Two servers appending to one file would ruin it."""
    with embedded(tmp_path) as server:
        write(server, "kept")
        pidfd = os.pidfd_open(server_pid(tmp_path))
        shutil.rmtree(socket_of(server).parent)

        with embedded(tmp_path):
            assert wait_for_end(pidfd, 0)
            assert read(server) == b"kept"


def append_only_file(data_root: Path) -> Path:
    """The file of the running or stopped server that writes go to."""
    (path,) = (p for p in data_root.rglob("*") if p.name.endswith((".incr.aof", "only.aof")))
    return path


def test_unreadable_data_is_set_aside_and_the_server_starts_afresh(
    tmp_path: Path, search_path: str
) -> None:
    with embedded(tmp_path, search_path) as server:
        write(server, "lost")
    broken = b"*3\r\n$9\r\nGARBAGE\x00\x01 not an append-only file\r\n" * 40
    append_only_file(tmp_path).write_bytes(broken)

    with embedded(tmp_path, search_path) as server:
        assert read(server) is None
        write(server, "new")

    (aside,) = tmp_path.glob("*.broken")
    assert append_only_file(aside).read_bytes() == broken
    with embedded(tmp_path, search_path) as server:
        assert read(server) == b"new"
    assert len(list(tmp_path.glob("*.broken"))) == 1


def test_data_whose_last_write_was_cut_off_is_read_not_set_aside(
    tmp_path: Path, search_path: str
) -> None:
    with embedded(tmp_path, search_path) as server:
        write(server, "kept")
    with append_only_file(tmp_path).open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$3\r\nke")

    with embedded(tmp_path, search_path) as server:
        assert read(server) == b"kept"
    assert list(tmp_path.glob("*.broken")) == []


def test_data_is_put_back_if_it_was_not_the_reason_for_the_failure(
    tmp_path: Path, search_path: str
) -> None:
    with embedded(tmp_path, search_path) as server:
        write(server, "kept")
    in_the_way = socket_of(server) / "folder"
    in_the_way.mkdir(parents=True)
    in_the_way.parent.parent.chmod(0o700)

    with pytest.raises(UnavailableError, match="doesn't start") as caught:
        embedded(tmp_path, search_path).__enter__()
    shutil.rmtree(socket_of(server).parent)

    assert caught.value.code == "REDIS_UNAVAILABLE"
    assert caught.value.remedy
    with embedded(tmp_path, search_path) as server:
        assert read(server) == b"kept"
    assert list(tmp_path.glob("*.broken")) == []


def test_a_server_that_ends_at_once_is_an_error_that_repeats_its_last_words(tmp_path: Path) -> None:
    path = fake_server(tmp_path, "echo no more room here; exit 1")

    with pytest.raises(UnavailableError, match="no more room here"):
        embedded(tmp_path / "data", path).__enter__()


def test_data_of_a_server_that_was_killed_while_it_started_stays_where_it_is(
    tmp_path: Path,
) -> None:
    """An out-of-memory killer says nothing about the data."""
    wheel = find_server(ONLY_THE_WHEEL).path
    path = fake_server(tmp_path, f'mkdir ../twice && kill -9 $$; exec {wheel} "$@"')
    data = tmp_path / "data" / "redis-7"
    data.mkdir(parents=True)
    (data / "something").write_text("precious")

    with pytest.raises(UnavailableError, match="doesn't start"):
        embedded(tmp_path / "data", path).__enter__()

    assert (data / "something").read_text() == "precious"


def test_a_socket_of_nobody_s_is_no_server(tmp_path: Path) -> None:
    """A server that was killed leaves its socket behind."""
    server = embedded(tmp_path)
    path = socket_of(server)
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))

    with server:
        write(server, "kept")
