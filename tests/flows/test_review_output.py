"""Nothing of a person's is overwritten, and nothing half-made is left."""

import errno
import os
from pathlib import Path

import pytest

from runner.errors import ConfigurationError, UnavailableError
from runner.flows.review_output import Output, Placed, placed

NOTICE = "SIZE_CAP_EXCEEDED\n\n"
STAMP = "20260102T030405Z"


def _make(
    output: Output,
    text: str = "text",
    *,
    packets: bool = False,
    fails: BaseException | None = None,
) -> Placed:
    with placed(output) as making:
        places = making.places
        places.bundle.write_text(text)
        if fails is not None:
            raise fails
        if packets:
            assert places.packets is not None
            assert places.archive is not None
            assert places.readme is not None
            places.packets.mkdir()
            (places.packets / "packet_001.txt").write_text("one")
            places.archive.write_text("archive")
            places.readme.write_text("readme")
        return making.publish()


def test_all_of_the_packets_lie_in_one_folder(tmp_path: Path) -> None:
    done = _make(Output(tmp_path / "B.txt", STAMP), NOTICE, packets=True)
    assert done == Placed(tmp_path / "B.txt", tmp_path / "review_packets" / STAMP, "new")
    assert done.packets is not None
    assert {path.name for path in done.packets.iterdir()} == {
        *("packet_001.txt", "REVIEW_PACKETS.tar.gz", "README_REVIEW_PACKETS.txt"),
    }
    assert {path.name for path in tmp_path.iterdir()} == {"B.txt", "review_packets"}


def test_two_runs_in_one_second_keep_both(tmp_path: Path) -> None:
    output = Output(tmp_path / "B.txt", STAMP)
    folders = [_make(output, NOTICE, packets=True).packets for _ in range(3)]
    assert [folder and folder.name for folder in folders] == [STAMP, f"{STAMP}-2", f"{STAMP}-3"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_is_not_published_is_gone(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        _make(Output(tmp_path / "B.txt", STAMP), "half", fails=error())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "B.txt"
    with placed(Output(target, STAMP)) as making:
        making.places.bundle.write_text("ours")
        target.write_text("somebody's")
        with pytest.raises(ConfigurationError, match="is there already"):
            making.publish()
    assert target.read_text() == "somebody's"
    assert list(tmp_path.iterdir()) == [target]


def test_a_fifo_in_the_way_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "B.txt")
    with pytest.raises(ConfigurationError, match="is there already"):
        _make(Output(tmp_path / "B.txt", STAMP))
    assert _make(Output(tmp_path / "B.txt", STAMP, replace=True)).before == "replaced"
    assert (tmp_path / "B.txt").read_text() == "text"


def test_a_folder_in_the_way_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "B.txt").mkdir()
    with pytest.raises(ConfigurationError, match="is a folder"):
        _make(Output(tmp_path / "B.txt", STAMP, replace=True))


@pytest.mark.needs_ordinary_user
def test_a_folder_that_may_not_be_written_is_the_callers_to_mend(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match=str(tmp_path)) as refused:
        _make(Output(tmp_path / "B.txt", STAMP))
    tmp_path.chmod(0o700)
    assert refused.value.code == "OUTPUT_UNWRITABLE"


def test_a_full_disk_is_said_to_be_one_and_leaves_nothing(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "B.txt")
    with pytest.raises(UnavailableError, match="DISK_FULL"):
        _make(Output(tmp_path / "B.txt", STAMP), "part", fails=full)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_for_itself_has_nowhere_for_packets(tmp_path: Path) -> None:
    with placed(Output(tmp_path / "B.txt", STAMP, packets_too=False)) as making:
        assert making.places.packets is None
        assert making.publish() == Placed(None, None, "")
    assert list(tmp_path.iterdir()) == []
