"""Which folders a uid that owns nothing can't pass."""

from pathlib import Path

from runner.adapters.sandbox.reach import closed_folders


def test_nothing_is_closed_on_an_open_way(state_dir: Path) -> None:
    (state_dir / "a").mkdir(mode=0o711)
    assert closed_folders([state_dir / "a" / "b"]) == ()


def test_the_outermost_closed_folder_is_named_once(state_dir: Path) -> None:
    (state_dir / "a").mkdir(mode=0o700)
    (state_dir / "a/b").mkdir(mode=0o700)
    needed = (state_dir / "a/b/c", state_dir / "a/d", state_dir / "e")
    (found,) = closed_folders(needed)
    assert (found.folder, found.needed) == (state_dir / "a", needed[:2])


def test_both_the_way_by_a_link_and_the_way_it_leads_are_looked_at(state_dir: Path) -> None:
    (state_dir / "closed").mkdir(mode=0o700)
    (state_dir / "closed/real").mkdir()
    (state_dir / "link").symlink_to("closed/real")
    (found,) = closed_folders([state_dir / "link" / "x"])
    # by the link's name the folder above is the real one, which is open itself
    assert (found.folder, found.needed) == (state_dir / "closed", (state_dir / "closed/real/x",))


def test_a_link_inside_a_closed_folder_is_needed_by_its_own_name(state_dir: Path) -> None:
    (state_dir / "closed").mkdir(mode=0o700)
    (state_dir / "closed/python").symlink_to("/usr/bin/env")
    (found,) = closed_folders([state_dir / "closed/python"])
    assert found.needed == (state_dir / "closed/python",)
