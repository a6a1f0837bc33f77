import importlib.util
from pathlib import Path

import pytest

from runner.adapters.redis_server.binaries import SYSTEM_FOLDERS, find_server
from runner.errors import UnavailableError


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_the_wheel_s_binary_is_found_without_importing_its_wrapper() -> None:
    binary = find_server("")

    assert binary.kind == "valkey"
    assert binary.version >= (9, 0, 0)
    assert binary.path.name == "valkey-server"


def test_an_installed_server_is_preferred(tmp_path: Path) -> None:
    installed = program(tmp_path, "redis-server", "Redis server v=7.0.15 sha=0:0 bits=64")

    binary = find_server(str(tmp_path))

    assert (binary.path, binary.kind, binary.version) == (installed, "redis", (7, 0, 15))


def test_valkey_is_preferred_to_redis(tmp_path: Path) -> None:
    program(tmp_path, "redis-server", "Redis server v=7.0.15")
    program(tmp_path, "valkey-server", "Valkey server v=8.1.0")

    assert find_server(str(tmp_path)).kind == "valkey"


def test_a_redis_server_that_is_valkey_by_its_own_account_is_valkey(tmp_path: Path) -> None:
    program(tmp_path, "redis-server", "Valkey server v=8.1.0")

    assert find_server(str(tmp_path)).data_name == "valkey-8"


@pytest.mark.parametrize("says", ["Redis server v=6.0.16", "Redis server v=5.0.7", "hello", ""])
def test_what_is_too_old_or_no_server_is_passed_over(tmp_path: Path, says: str) -> None:
    program(tmp_path, "redis-server", says)

    assert find_server(str(tmp_path)).path.parent != tmp_path


def test_six_two_is_new_enough(tmp_path: Path) -> None:
    program(tmp_path, "redis-server", "Redis server v=6.2.0")

    assert find_server(str(tmp_path)).path.parent == tmp_path


def test_a_program_in_a_relative_entry_of_the_path_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "redis-server", "Redis server v=99.0.0")
    monkeypatch.chdir(tmp_path)

    assert find_server(".::bin").version < (99, 0, 0)


def test_without_any_server_the_error_says_what_was_found_and_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program(tmp_path, "redis-server", "Redis server v=5.0.7")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(UnavailableError, match=f"found only {old}") as caught:
        find_server(str(tmp_path))

    assert caught.value.code == "REDIS_UNAVAILABLE"
    assert "valkey-server" in caught.value.remedy


def test_the_system_folders_are_absolute() -> None:
    assert all(folder.startswith("/") for folder in SYSTEM_FOLDERS.split(":"))
