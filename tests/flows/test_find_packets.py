"""Which packets a person means who names a folder."""

from pathlib import Path

import pytest

from runner.errors import ConfigurationError
from runner.flows.find_packets import packets_at


def _packets(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    return folder


def test_a_jobs_folder_names_its_packets_and_not_those_of_its_target(tmp_path: Path) -> None:
    made = _packets(tmp_path / "outputs" / "review_packets" / "20260101T000000Z")
    _packets(tmp_path / "outputs" / "target_packets" / "1")
    for place in (tmp_path, tmp_path / "outputs", made.parent, made, made / "manifest.json"):
        assert packets_at(place) == made


def test_a_link_is_followed_where_a_person_names_it_and_nowhere_else(tmp_path: Path) -> None:
    made = _packets(tmp_path / "elsewhere" / "packets")
    (tmp_path / "link").symlink_to(made)
    assert packets_at(tmp_path / "link") == made
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(made)
    with pytest.raises(ConfigurationError, match=r"no manifest\.json in it or below it"):
        packets_at(tmp_path / "top")


def test_several_are_named_and_none_is_taken(tmp_path: Path) -> None:
    both = [_packets(tmp_path / name) for name in ("one", "two")]
    with pytest.raises(ConfigurationError) as refused:
        packets_at(tmp_path)
    assert refused.value.code == "PACKETS_AMBIGUOUS"
    assert all(str(folder) in str(refused.value) for folder in both)


def test_a_folder_of_very_many_is_given_up_on(tmp_path: Path) -> None:
    for number in range(10_010):
        (tmp_path / f"f{number}").touch()
    with pytest.raises(ConfigurationError, match=r"no manifest\.json in it or below it"):
        packets_at(tmp_path)


def test_what_lies_too_deep_is_not_looked_for(tmp_path: Path) -> None:
    _packets(tmp_path / "a" / "b" / "c" / "d")
    with pytest.raises(ConfigurationError, match=r"no manifest\.json in it or below it"):
        packets_at(tmp_path)
    assert packets_at(tmp_path / "a") == tmp_path / "a" / "b" / "c" / "d"


@pytest.mark.parametrize("name", ["loop", "x" * 300, "nowhere"])
def test_what_can_not_be_there_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigurationError) as refused:
        packets_at(tmp_path / name)
    assert refused.value.code == "PACKETS_NOT_FOUND"


def test_a_file_is_itself(tmp_path: Path) -> None:
    file = tmp_path / "REVIEW_BUNDLE.txt"
    file.touch()
    assert packets_at(file) == file
