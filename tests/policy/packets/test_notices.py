"""What people read beside the packets says what is so."""

from dataclasses import replace

from runner.model.review import ReviewRange
from runner.policy.packets.frames import Overview
from runner.policy.packets.notices import over_cap, readme
from tests.policy.packets.test_manifest import manifest


def test_the_bundle_over_its_cap_says_so_first_and_lists_the_files() -> None:
    made = manifest(b"a\nb")
    overview = Overview(made.range, 2, made.patches)
    text = over_cap(overview, 300_000, 200_000).decode()
    assert text.startswith("SIZE_CAP_EXCEEDED\n")
    assert "300000" in text
    assert "a⟦0A⟧b" in text
    assert "Packets were asked for." in over_cap(overview, 10, 200_000).decode()


def test_the_readme_says_what_a_person_has_to_look_at() -> None:
    text = readme(manifest(), "d" * 64).decode()
    assert "1 of them are binary" in text
    assert "1 characters that can't be seen" in text
    assert "d" * 64 in text


def test_the_readme_of_plain_text_warns_of_nothing() -> None:
    made = manifest()
    part = made.patches[0]
    plain = replace(part.files[0], findings=(), old_size=None)
    text = readme(replace(made, patches=(replace(part, files=(plain,)),)), "d" * 64).decode()
    assert "binary" not in text
    assert "can't be seen" not in text


def test_a_range_from_nothing_is_called_that() -> None:
    assert ReviewRange(None, "a" * 40, "b" * 40, "c" * 40).text == f"the empty tree..{'a' * 40}"
