"""A patch is walked by its own counts: content never passes for structure."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.model.review import Section
from runner.policy.packets.patch_walk import PatchWalk
from runner.policy.packets.raw_diff import headers_of, parse_raw
from tests.support.review_histories import histories, reviewed, temporary_folder

HEADER = b"diff --git a/f b/f\n"
INDEX = b"index %b..%b 100644\n--- a/f\n+++ b/f\n" % (b"1" * 40, b"2" * 40)
TEXT = HEADER + INDEX + b"@@ -1,2 +1,2 @@ name\n-old\n+new\n kept\n"
BINARY = HEADER + b"GIT binary patch\nliteral 1\nIcmZPo\n\ndelta 22\nIcmZPo\n\n"


def walk(patch: bytes, *, files: int = 1, block: int = 1 << 20) -> list[Section]:
    walked = PatchWalk([(n, HEADER) for n in range(files)])
    for start in range(0, len(patch), block):
        walked.feed(patch[start : start + block])
    walked.finish()
    return walked.sections


def test_the_parts_of_a_patch_are_found() -> None:
    text, binary = walk(TEXT + BINARY, files=2)

    assert (text.offset, text.end, list(text.hunks)) == (0, len(TEXT), [TEXT.index(b"@@")])
    assert not text.opaque
    assert (binary.offset, binary.end) == (len(TEXT), len(TEXT + BINARY))
    assert binary.opaque_from == len(TEXT + HEADER)
    assert binary.declared == (1, 22)


@pytest.mark.parametrize(
    "line",
    [
        b"diff --git a/f b/f", b"@@ -1 +1 @@", b"-- a/f", b"GIT binary patch", b"\r", b"a\x0cb",
        "a\u2028b".encode(), b"", b"\\ No newline at end of file", b"\xff", b"index 1..2",
    ],
)  # fmt: skip
def test_content_is_never_taken_for_structure(line: bytes) -> None:
    patch = HEADER + INDEX + b"@@ -1 +1,2 @@\n-%b\n+%b\n+%b\n" % (line, line, line) + TEXT
    assert [section.offset for section in walk(patch, files=2)] == [0, len(patch) - len(TEXT)]


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(TEXT[:-1], id="the last line feed is missing"),
        pytest.param(TEXT[: -len(b" kept\n")], id="the last line is missing"),
        pytest.param(TEXT + b" kept\n", id="a line too many"),
        pytest.param(TEXT + b"# a word to the reader\n", id="a word after a hunk"),
        pytest.param(b"a word\n" + TEXT, id="a word before the first file"),
        pytest.param(HEADER + b"a word\n" + TEXT[len(HEADER) :], id="a word in a header"),
        pytest.param(TEXT.replace(b" kept", b"#kept"), id="a line of a hunk that is none"),
        pytest.param(TEXT.replace(b"-1,2", b"-1,1"), id="a count that is too small"),
        pytest.param(TEXT.replace(b"@@ name", b"@ name"), id="a hunk without a header"),
        pytest.param(TEXT.replace(b"a/f b/f", b"a/g b/g"), id="another file"),
        pytest.param(TEXT + TEXT, id="a file twice"),
        pytest.param(b"", id="no file"),
        pytest.param(BINARY.partition(b"delta")[0], id="half of a binary part"),
        pytest.param(BINARY[:-1], id="a binary part without its end"),
        pytest.param(BINARY.replace(b"delta 22", b"delta x"), id="a binary part without a size"),
        pytest.param(BINARY + b"delta 1\nIcmZPo\n\n", id="a third binary part"),
        pytest.param(BINARY + b"@@ -1 +1 @@\n-a\n+b\n", id="text after a binary part"),
        pytest.param(TEXT + BINARY.partition(b"\n")[2], id="a binary part after text"),
        pytest.param(HEADER + b"--- " + b"a" * 200_000, id="a header without end"),
    ],
)
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_what_is_not_whole_or_is_more_is_refused(patch: bytes, block: int) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        walk(patch, block=block)


def test_a_line_of_a_hunk_may_be_larger_than_any_block() -> None:
    patch = HEADER + INDEX + b"@@ -0,0 +1,2 @@\n+" + b"x" * 300_000 + b"\n+y\n"
    walked = PatchWalk([(0, HEADER)])
    kept = 0
    for start in range(0, len(patch), 1000):
        walked.feed(patch[start : start + 1000])
        kept = max(kept, len(walked._rest))
    walked.finish()
    assert kept < 2000


def test_a_name_may_be_longer_than_any_disk_allows() -> None:
    header = b'diff --git "a/%b" "b/%b"\n' % (b"\\377" * 30_000, b"\\377" * 30_000)
    walked = PatchWalk([(0, header)])
    patch = header + b"new file mode 100644\nindex %b..%b\n" % (b"0" * 40, b"1" * 40)
    for start in range(0, len(patch), 4096):
        walked.feed(patch[start : start + 4096])
    walked.finish()
    assert walked.sections[0].end == len(patch)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(histories(), st.data())
def test_how_the_bytes_come_in_makes_no_difference(
    history: tuple[list[object], int | None, str], data: st.DataObject
) -> None:
    steps, base, object_format = history
    with temporary_folder() as folder:
        made = reviewed(folder, steps, base=base, object_format=object_format)  # type: ignore[arg-type]
        trees = made.span.base_tree, made.span.head_tree
        changes = parse_raw(made.reader.raw(*trees))
        with made.reader.patch(*trees) as blocks:
            patch = b"".join(blocks)
    headers = [(n, line) for n, change in enumerate(changes) for line in headers_of(change)]
    found = []
    for size in (len(patch) + 1, 1, data.draw(st.integers(2, 64))):
        walked = PatchWalk(headers)
        for start in range(0, len(patch), size):
            walked.feed(patch[start : start + size])
        walked.finish()
        found.append([_places(section) for section in walked.sections])
    assert found[0] == found[1] == found[2]
    ends = [0, *(end for _, _, end, *_ in found[0])]
    assert [offset for _, offset, *_ in found[0]] == ends[:-1]
    assert ends[-1] == len(patch)


def _places(section: Section) -> tuple[object, ...]:
    return (
        section.file, section.offset, section.end, list(section.hunks), section.opaque_from,
        section.declared,
    )  # fmt: skip


@given(st.binary(max_size=60), st.integers(1, 9))
def test_what_is_called_plain_is(content: bytes, block: int) -> None:
    lines = content.split(b"\n")
    body = b"".join(b"+%b\n" % line for line in lines)
    patch = HEADER + INDEX + b"@@ -0,0 +1,%d @@\n%b" % (len(lines), body)
    (section,) = walk(patch, block=block)
    printable = all(byte in b"\t\n" or 0x20 <= byte < 0x7F for byte in patch)
    assert printable or not section.plain
