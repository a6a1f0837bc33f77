"""``runner run`` and ``runner verify`` on a job whose review bundle became packets."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.claims import ARCHIVE, PACKETS, PreparedJob
from tests.support.command_line import CommandLine, Ended


@pytest.fixture
def prepared(cli: CommandLine) -> Iterator[PreparedJob]:
    folder = cli.shop.folder / "prepared"
    folder.mkdir()
    yield PreparedJob(cli.shop, folder)
    shutil.rmtree(folder)


def run(cli: CommandLine, prepared: PreparedJob) -> Ended:
    """``runner run`` with what was prepared."""
    prepared.allow()
    since = f"since_sha={prepared.base}"
    return cli("run", "leaves", "--repo", str(prepared.repo), "--param", since)


def test_the_table_says_that_the_cap_was_exceeded_and_where_the_packets_are(
    cli: CommandLine, prepared: PreparedJob
) -> None:
    done = run(cli, prepared)
    assert done.exit_code == 0, done
    for name, words in (
        ("size cap", f"{prepared.meta.packet_count} packets"),
        ("packets", f"outputs/{PACKETS}"),
        ("archive", f"outputs/{ARCHIVE}"),
        ("warnings", "SIZE_CAP_EXCEEDED"),
    ):
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"{name}  "))
        assert words in line


def test_a_forged_claim_ends_a_waiting_client_with_5(
    cli: CommandLine, prepared: PreparedJob
) -> None:
    (prepared.left / PACKETS / "packet_001.txt").unlink()
    done = run(cli, prepared)
    assert done.exit_code == 5, done
    assert "SIZE_CAP_CLAIM_INVALID" in done.stdout
    assert "packet_001.txt" in done.stdout
    assert "size cap " not in done.stdout


def packets_check(done: Ended) -> dict[str, str]:
    """What ``runner verify --json`` says of the packets."""
    checks = json.loads(done.stdout)["checks"]
    return next(check for check in checks if check["name"] == "packets")


def test_verify_proves_the_packets_again_offline_and_with_the_repository(
    cli: CommandLine, prepared: PreparedJob
) -> None:
    assert run(cli, prepared).exit_code == 0
    offline = cli("verify", "last", "--json")
    assert offline.exit_code == 0, offline
    assert "the executor proved" in packets_check(offline)["what"]
    online = cli("verify", "last", "--json", "--repo", str(prepared.repo))
    assert online.exit_code == 0, online
    assert "its tree comes out of them" in packets_check(online)["what"]


def test_verify_with_a_repository_that_lacks_the_commit_can_not_tell(
    cli: CommandLine, prepared: PreparedJob
) -> None:
    assert run(cli, prepared).exit_code == 0
    done = cli("verify", "last", "--json", "--repo", str(cli.shop.repo))
    assert done.exit_code == 3, done
    assert packets_check(done)["state"] == "unknown"


def test_verify_with_what_is_no_repository_is_a_mistake_of_the_caller(
    cli: CommandLine, prepared: PreparedJob, tmp_path: Path
) -> None:
    assert run(cli, prepared).exit_code == 0
    done = cli("verify", "last", "--repo", str(tmp_path))
    assert done.exit_code == 2, done
    assert "NOT_A_REPOSITORY" in done.stderr
