"""Packets hold all of a range, and packets that don't are never taken for such.

Attacks by the repository under review, by whoever made the packets, and by whoever had them since.
"""

import json
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import RefusedError, UnavailableError
from runner.flows.bundle import Wanted
from runner.flows.prove import Proof
from runner.model.review import MAX_PACKETS, Cut, Manifest, Piece
from tests.support.forged_packets import Pieces, binary, delta, forged, literal
from tests.support.git_mirrors import place
from tests.support.git_repos import git, git_bytes, make_repo
from tests.support.review_histories import (
    ATTRIBUTES,
    LINK,
    MODULES,
    SCRIPT,
    SUBMODULE,
    Entry,
    Reviewed,
    Step,
    Tree,
    histories,
    reviewed,
    temporary_folder,
    two_trees,
)

ROWS = [b"row %d\n" % number for number in range(60)]
LONG = b"x" * 4000
A, B = b"\0a" * 300, b"\0b" * 300
BEFORE: Tree = {
    b"text": b"".join(ROWS),
    b"long": b"short\n",
    b"one": A,
    b"two": B,
    b"old place": b"\0moved" * 99,
    b"link": Entry(b"text", LINK),
}
AFTER: Tree = {
    b"text": b"".join((b"evil\n", *ROWS[1:50], b"worse\n", *ROWS[51:])),
    b"long": b"+#end segment 1\n" + LONG + b"#end segment 1\n" + LONG + b"\n",
    b"one": B,
    b"two": A,
    b"new place": b"\0moved" * 99,
    b"link": Entry(b"/etc/passwd", LINK),
    b"script": Entry(b"true\n", SCRIPT),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Reviewed:
    between = {**BEFORE, b"secret": b"only here\n"}
    steps = [Step(BEFORE), Step(between), Step(AFTER)]
    return reviewed(tmp_path_factory.mktemp("range"), steps)


@pytest.fixture(scope="module")
def packets(made: Reviewed) -> Path:
    """True ones, several, with one hunk in parts."""
    return made.build(Wanted(packet_bytes=1500, force_packets=True)).packets


@pytest.fixture
def copy(packets: Path, tmp_path: Path) -> Path:
    shutil.copytree(packets, tmp_path / "copy")
    return tmp_path / "copy"


# --- what a repository can hold ---------------------------------------------------------------

SIZES = st.one_of(st.integers(50, 300), st.integers(300, 6000), st.integers(6000, 1 << 20))


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(histories(), SIZES, st.one_of(st.none(), st.integers(50, 1 << 20)))
def test_every_history_is_whole_in_its_packets(
    history: tuple[list[Step], int | None, str], packet_bytes: int, cap: int | None
) -> None:
    steps, base, object_format = history
    wanted = Wanted(cap or 1, packet_bytes, force_packets=cap is None)
    with temporary_folder() as folder:
        found = reviewed(folder, steps, base=base, object_format=object_format)
        output = found.build(wanted)
        assert found.build(wanted).files() == output.files()
        if not output.built.exceeded:
            assert len(output.files()["REVIEW_BUNDLE.txt"]) == output.built.size_bytes <= (cap or 1)
            return
        proof = found.prove(output.packets)
        assert (proof.problems, proof.exactly_ours) == ((), True)
        assert all(len(text) <= packet_bytes for text in output.packet_texts())


def test_more_packets_than_anybody_reads_are_refused_and_not_cut_short(tmp_path: Path) -> None:
    found = two_trees(tmp_path, {}, {b"a": b"x" * (50 * MAX_PACKETS)})
    with pytest.raises(RefusedError, match="more than"):
        found.build(Wanted(packet_bytes=50))
    assert not list(tmp_path.glob("out-*/*packets*"))


def _plant_configuration(repo: Path) -> None:
    for key, value in (
        ("diff.x.textconv", "true"), ("diff.x.command", "true"), ("diff.external", "true"),
        ("diff.noprefix", "true"), ("diff.ignoreSubmodules", "all"), ("diff.renames", "copies"),
        ("diff.context", "0"), ("diff.suppressBlankEmpty", "true"), ("diff.algorithm", "patience"),
        ("diff.interHunkContext", "99"), ("core.bigFileThreshold", "1"), ("core.quotePath", "false"),
        ("diff.submodule", "log"), ("core.attributesFile", str(repo / "all")),
        ("diff.orderFile", str(repo / "order")), ("core.whitespace", "cr-at-eol"),
    ):  # fmt: skip
        git(repo, "config", key, value)
    (repo / "all").write_bytes(b"* -diff\n")
    (repo / "order").write_bytes(b"z*\n")
    (repo / "info").mkdir(exist_ok=True)
    (repo / "info" / "attributes").write_bytes(b"* -diff\n* diff=x\n")


def _plant_replacements(repo: Path) -> None:
    first, last = git(repo, "rev-parse", "c0"), git(repo, "rev-parse", "c1")
    git(repo, "replace", last, first)
    old, new = (git(repo, "--no-replace-objects", "rev-parse", f"{c}:a") for c in (first, last))
    git(repo, "replace", new, old)


def _plant_grafts(repo: Path) -> None:
    (repo / "info").mkdir(exist_ok=True)
    (repo / "info" / "grafts").write_text(git(repo, "rev-parse", "c1") + "\n")
    (repo / "shallow").write_text(git(repo, "rev-parse", "c1") + "\n")


@pytest.mark.parametrize("plant", [_plant_configuration, _plant_replacements, _plant_grafts])
def test_nothing_in_the_reviewed_repository_changes_what_is_shown(
    plant: Callable[[Path], None], tmp_path: Path
) -> None:
    steps = [
        Step({b"a": b"a\n\nb\n", b"z": b"z\n"}),
        Step({b"a": b"a\n\nc\n", b"b": b"b\r\n", b"z": b"y\n", b"s": Entry(b"1" * 32, SUBMODULE)}),
    ]
    made = reviewed(tmp_path, steps)
    before = made.build().files()

    plant(made.folder / "repo")

    after = made.build()
    assert after.files() == before
    assert made.prove(after.packets).complete


@pytest.mark.parametrize("attributes", ATTRIBUTES)
def test_no_attribute_in_the_tree_hides_a_text(attributes: bytes, tmp_path: Path) -> None:
    tree = {b".gitattributes": attributes, b"d/.gitattributes": attributes}
    made = two_trees(tmp_path, tree, {**tree, b"a": b"evil\n", b"d/b": b"worse\n"})
    text = b"".join(made.build().packet_texts())
    assert b"+evil\n" in text
    assert b"+worse\n" in text


def test_no_setting_of_submodules_hides_that_one_moved(tmp_path: Path) -> None:
    before: Tree = {b".gitmodules": MODULES, b"a": Entry(b"1" * 32, SUBMODULE)}
    after: Tree = {b".gitmodules": MODULES, b"a": Entry(b"2" * 32, SUBMODULE)}
    made = two_trees(tmp_path, before, after)
    assert b"+Subproject commit 3232" in b"".join(made.build().packet_texts())


def test_what_only_commits_in_between_have_is_shown_too(made: Reviewed) -> None:
    assert b"+only here\n" in b"".join(made.build().packet_texts())


def test_what_only_one_side_of_a_merge_had_is_shown_too(tmp_path: Path) -> None:
    steps = [
        Step({b"a": b"1\n"}),
        Step({b"a": b"1\n", b"s": b"secret\n"}),
        Step({b"a": b"2\n"}, (0,)),
        Step({b"a": b"2\n"}, (2, 1)),
    ]
    made = reviewed(tmp_path, steps)
    assert b"+secret\n" in b"".join(made.build().packet_texts())


def test_nothing_that_cannot_be_seen_reaches_the_reader(tmp_path: Path) -> None:
    hidden = "a\u202eb\u200bc\U000e0041d\x1b[1me\rf\u2028g\x85\u00a0".encode() + b"\xff\n"
    made = two_trees(tmp_path, {}, {b"a": hidden, hidden.replace(b"/", b""): b"x\n"})
    for name, data in made.build().files().items():
        if not name.endswith(".gz"):
            text = data.decode()
            assert all(c.isprintable() or c in "\t\n" for c in text), name
    assert "⟦U+202E⟧" in b"".join(made.build().packet_texts()).decode()


def test_an_object_that_was_falsified_where_it_lay_does_not_reach_the_reviewer(
    tmp_path: Path,
) -> None:
    with place(tmp_path) as here:
        make_repo(here.source, {"a.txt": "harmless\n"})
        sha = git(here.source, "rev-parse", "HEAD")
        oid = git(here.source, "rev-parse", "HEAD:a.txt")
        loose = here.source / ".git" / "objects" / oid[:2] / oid[2:]
        loose.chmod(0o644)
        loose.write_bytes(zlib.compress(b"blob 9\0innocent\n"))
        assert git_bytes(here.source, "cat-file", "blob", oid) == b"innocent\n"

        with pytest.raises(UnavailableError):
            here.ensure(sha)


# --- packets that were changed afterwards -----------------------------------------------------


def test_true_packets_are_complete(made: Reviewed, packets: Path) -> None:
    proof = made.prove(packets)
    assert (proof.problems, proof.exactly_ours) == ((), True)
    assert len(list(packets.glob("packet_*.txt"))) > 5
    assert (packets / "opaque.patch").exists()


MATTER = ("packet_001.txt", "packet_002.txt", "opaque.patch", "manifest.json", "CHANGED_FILES.txt")


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(MATTER), st.integers(0, 1 << 20), st.integers(1, 255))
def test_no_byte_can_be_changed(
    made: Reviewed, packets: Path, name: str, at: int, other: int
) -> None:
    with temporary_folder() as folder:
        copy = folder / "copy"
        shutil.copytree(packets, copy)
        data = bytearray((copy / name).read_bytes())
        data[at % len(data)] ^= other
        (copy / name).write_bytes(data)
        assert not still_whole(made, copy, packets)


def still_whole(made: Reviewed, copy: Path, packets: Path) -> bool:
    """Whether ``copy`` is taken for complete, and for the manifest that was made."""
    proof = made.prove(copy)
    true = json.loads((packets / "manifest.json").read_bytes())
    with suppress(ValueError):
        # white space between two values of JSON is no part of what it says
        if json.loads((copy / "manifest.json").read_bytes()) == true:
            return (
                proof.complete
                and (copy / "manifest.json").read_bytes()
                == (packets / "manifest.json").read_bytes()
            )
    return proof.complete


def _swap(folder: Path, one: str, other: str) -> None:
    (folder / one).rename(folder / "aside")
    (folder / other).rename(folder / one)
    (folder / "aside").rename(folder / other)


def _twice(text: str) -> str:
    return text.replace('"commits":', '"commits": 2, "commits":')


def _as_link(file: Path) -> None:
    file.rename(file.with_name("aside"))
    file.symlink_to("aside")


def _as_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"#\n")


FILE_ATTACKS: dict[str, Callable[[Path], object]] = {
    "a packet is missing": lambda f: (f / "packet_002.txt").unlink(),
    "the opaque part is missing": lambda f: (f / "opaque.patch").unlink(),
    "the list is missing": lambda f: (f / "CHANGED_FILES.txt").unlink(),
    "the manifest is missing": lambda f: (f / "manifest.json").unlink(),
    "a packet more": lambda f: (f / "packet_999.txt").write_bytes(b"+nothing\n"),
    "a packet with a word for the terminal": lambda f: (f / "packet_\x1b[2J\udcff").touch(),
    "two packets swapped": lambda f: _swap(f, "packet_001.txt", "packet_002.txt"),
    "a packet is a link": lambda f: _as_link(f / "packet_001.txt"),
    "a packet is a pipe": lambda f: _as_pipe(f / "packet_001.txt"),
    "a packet is a folder": lambda f: _as_folder(f / "packet_001.txt"),
    "the manifest is a pipe": lambda f: _as_pipe(f / "manifest.json"),
    "the manifest is a link": lambda f: _as_link(f / "manifest.json"),
    "the opaque part is a pipe": lambda f: _as_pipe(f / "opaque.patch"),
    "a key stands twice": lambda f: (f / "manifest.json").write_text(
        _twice((f / "manifest.json").read_text())
    ),
    "a packet grows": lambda f: _longer(f / "packet_001.txt"),
    "a packet is cut off": lambda f: os.truncate(f / "packet_001.txt", 100),
    "the opaque part grows": lambda f: _longer(f / "opaque.patch"),
}


@pytest.mark.parametrize("attack", FILE_ATTACKS)
def test_packets_that_were_tampered_with_are_not_complete(
    attack: str, made: Reviewed, copy: Path
) -> None:
    FILE_ATTACKS[attack](copy)
    proof = made.prove(copy)
    assert not proof.complete
    assert not proof.exactly_ours
    assert all(problem.isprintable() for problem in proof.problems)


# --- packets that were forged from the start --------------------------------------------------


def _without_second_hunk(patch: bytes) -> bytes:
    start = patch.index(b"@@", patch.index(b"+evil\n"))
    return patch[:start] + patch[patch.index(b"diff --git", start) :]


def _without_file(patch: bytes) -> bytes:
    start = patch.index(b"diff --git a/script")
    end = patch.index(b"diff --git", start + 1)
    return patch[:start] + patch[end:]


def _text_as_binary(patch: bytes) -> bytes:
    start = patch.index(b"--- a/text")
    end = patch.index(b"diff --git", start)
    new, old = AFTER[b"text"], BEFORE[b"text"]
    assert isinstance(new, bytes)
    assert isinstance(old, bytes)
    return patch[:start] + binary(new, old) + patch[end:]


def _other_binary(name: bytes) -> Callable[[bytes], bytes]:
    def edit(patch: bytes) -> bytes:
        start = patch.index(b"GIT binary patch", patch.index(b"diff --git a/%b" % name))
        end = patch.find(b"diff --git", start)
        end = len(patch) if end < 0 else end
        return patch[:start] + binary(b"\0forged", b"\0forged") + patch[end:]

    return edit


def _bomb(patch: bytes) -> bytes:
    start = patch.index(b"GIT binary patch", patch.index(b"diff --git a/one"))
    end = patch.index(b"diff --git", start)
    packed = literal(delta(len(A), 1 << 33), "delta") + literal(A)
    return patch[:start] + b"GIT binary patch\n" + packed + patch[end:]


PATCH_ATTACKS: dict[str, Callable[[bytes], bytes]] = {
    "a hunk is left out": _without_second_hunk,
    "a file is left out": _without_file,
    "everything is left out": lambda patch: patch[:0],
    "another text is shown": lambda patch: patch.replace(b"+evil\n", b"+good\n"),
    "another mode is shown": lambda patch: patch.replace(b"mode 100755", b"mode 100644"),
    "another target of a link is shown": lambda patch: patch.replace(b"+/etc/passwd", b"+/etc/issue!"),
    "a text is called binary": _text_as_binary,
    "a binary is another": _other_binary(b"one"),
    "a binary that changed places is another": _other_binary(b"two"),
    "a binary that was moved is another": _other_binary(b"new place"),
    "a binary would fill the memory": _bomb,
    "a word stands before all": lambda patch: b"\\ a word\n" + patch,
    "a word stands after all": lambda patch: patch + b"# a word\n",
    "another name is shown": lambda patch: patch.replace(b"a/script b/script", b"a/scripu b/scripu"),
    "a file twice": lambda patch: patch + patch,
}  # fmt: skip


@pytest.mark.parametrize("attack", PATCH_ATTACKS)
def test_another_patch_is_never_complete(attack: str, made: Reviewed) -> None:
    assert not prove_forged(made, patch=PATCH_ATTACKS[attack]).complete


def _first(pieces: Pieces, cut: Cut) -> int:
    return next(number for number, piece in enumerate(pieces) if piece.cut is cut)


def _edit(which: Cut, /, **fields: object) -> Callable[[Pieces], Iterable[Piece]]:
    def edit(pieces: Pieces) -> Iterator[Piece]:
        at = _first(pieces, which)
        for number, piece in enumerate(pieces):
            yield replace(piece, **fields) if number == at else piece  # type: ignore[arg-type]

    return edit


def _swapped(pieces: Pieces) -> Pieces:
    at = _first(pieces, Cut.PARTIAL_HUNK)
    one, two = pieces[at : at + 2]
    first = replace(two, packet=one.packet)
    return (*pieces[:at], first, replace(one, packet=two.packet), *pieces[at + 2 :])


def _in_two(pieces: Pieces) -> Iterator[Piece]:
    for number, piece in enumerate(pieces):
        if number == _first(pieces, Cut.FILE):
            yield replace(piece, size=10)
            yield replace(piece, offset=piece.offset + 10, size=piece.size - 10)
        else:
            yield piece


def _renamed(pieces: Pieces) -> Iterator[Piece]:
    for piece in pieces:
        yield replace(piece, file=0) if piece.patch == 0 else piece


PIECE_ATTACKS: dict[str, Callable[[Pieces], Iterable[Piece]]] = {
    "one is dropped": lambda pieces: (pieces[0], *pieces[2:]),
    "the last one is dropped": lambda pieces: pieces[:-1],
    "the first one is doubled": lambda pieces: (pieces[0], *pieces),
    "the last one is doubled": lambda pieces: (*pieces, pieces[-1]),
    "two parts of a hunk are swapped": _swapped,
    "a text is kept from the reader": _edit(Cut.FILE, cut=Cut.OPAQUE),
    "a part is kept from the reader": _edit(Cut.PARTIAL_HUNK, cut=Cut.OPAQUE, part=0, parts=0),
    "a part is called a whole file": _edit(Cut.PARTIAL_HUNK, cut=Cut.FILE, part=0, parts=0),
    "half a file is called a whole one": _in_two,
    "all is said to be of one file": _renamed,
    "one is said to go on in a line": _edit(Cut.FILE, continued=True),
    "one ends sooner": _edit(Cut.FILE, size=5),
    "a part is said to be another": _edit(Cut.PARTIAL_HUNK, part=2),
    "fewer parts than there are": _edit(Cut.PARTIAL_HUNK, parts=1),
    "a binary is shown as text": _edit(Cut.OPAQUE, cut=Cut.FILE),
}


@pytest.mark.parametrize("attack", PIECE_ATTACKS)
def test_other_pieces_are_never_complete(attack: str, made: Reviewed) -> None:
    assert not prove_forged(made, pieces=PIECE_ATTACKS[attack], packet_bytes=1500).complete


def test_no_part_of_a_line_can_pass_for_the_end_of_a_segment(made: Reviewed) -> None:
    """Cut right before its sign, and said to begin a line of its own."""

    with made.reader.patch(made.span.base_tree, made.span.head_tree) as blocks:
        patch = b"".join(blocks)
    middle = patch.index(b"x#end segment 1") + 1

    def cut(pieces: Pieces) -> Iterator[Piece]:
        for piece in pieces:
            end = piece.offset + piece.size
            if piece.patch == 0 and piece.offset < middle < end:
                one = replace(piece, cut=Cut.PARTIAL_HUNK, part=1, parts=2)
                yield replace(one, size=middle - piece.offset)
                yield replace(one, offset=middle, size=end - middle, part=2)
            else:
                yield piece

    proof = prove_forged(made, pieces=cut)
    assert not proof.complete
    assert "isn't cut as it says" in proof.problems[0]


MANIFEST_ATTACKS: dict[str, Callable[[Manifest], Manifest]] = {
    "another base": lambda m: replace(m, range=replace(m.range, base=m.range.head)),
    "no base": lambda m: replace(m, range=replace(m.range, base=None)),
    "another head": lambda m: replace(m, range=replace(m.range, head="1" * 40)),
    "another tree before": lambda m: replace(m, range=replace(m.range, base_tree="1" * 40)),
    "another tree afterwards": lambda m: replace(m, range=replace(m.range, head_tree="1" * 40)),
    "other trees of a patch": lambda m: _patch(m, to_tree="1" * 40),
    "a file less": lambda m: _patch(m, files=m.patches[0].files[:-1]),
    "a file twice": lambda m: _patch(m, files=(*m.patches[0].files, m.patches[0].files[0])),
    "files in another order": lambda m: _patch(m, files=m.patches[0].files[::-1]),
    "a link that is none": lambda m: _patch(
        m, files=tuple(replace(file, kinds=()) for file in m.patches[0].files)
    ),
    "no word of what is binary": lambda m: _patch(
        m, files=tuple(replace(file, old_size=None, new_size=None) for file in m.patches[0].files)
    ),
    "another digest of a patch": lambda m: _patch(m, sha256="1" * 64),
    "another size of a patch": lambda m: _patch(m, size=m.patches[0].size - 1),
    "nothing in between": lambda m: replace(m, patches=m.patches[:1]),
    "a third patch": lambda m: replace(m, patches=(*m.patches, m.patches[1])),
    "fewer commits": lambda m: replace(m, commits=1),
    "a smaller cap": lambda m: replace(m, packet_bytes=60),
    "a cap without end": lambda m: replace(m, packet_bytes=1 << 40),
    "a segment less": lambda m: replace(m, segments=m.segments[1:]),
    "a segment more": lambda m: replace(m, segments=(*m.segments, m.segments[-1])),
    "segments in another order": lambda m: replace(m, segments=m.segments[::-1]),
    "a packet less": lambda m: replace(m, packets=m.packets[:-1]),
    "a packet twice": lambda m: replace(m, packets=(*m.packets, m.packets[-1])),
    "no opaque part": lambda m: replace(m, opaque_sha256=None),
    "another opaque part": lambda m: replace(m, opaque_sha256="1" * 64),
    "a warning": lambda m: replace(m, warnings=("approved already",)),
    "a digest of other bytes": lambda m: _segment(m, sha256="1" * 64),
    "a place elsewhere": lambda m: _segment(m, at=m.segments[0].at + 1),
    "a place beyond": lambda m: _segment(m, at=1 << 40),
    "a place in another packet": lambda m: _segment(m, stored_in="packet_002.txt"),
    "more than is stored": lambda m: _segment(m, stored_size=1 << 40),
}


def _patch(manifest: Manifest, **fields: object) -> Manifest:
    first, *others = manifest.patches
    return replace(manifest, patches=(replace(first, **fields), *others))  # type: ignore[arg-type]


def _segment(manifest: Manifest, **fields: object) -> Manifest:
    first, *others = manifest.segments
    return replace(manifest, segments=(replace(first, **fields), *others))  # type: ignore[arg-type]


@pytest.mark.parametrize("attack", MANIFEST_ATTACKS)
def test_another_manifest_is_never_complete(attack: str, made: Reviewed) -> None:
    assert not prove_forged(made, manifest=MANIFEST_ATTACKS[attack], packet_bytes=1500).complete


@pytest.mark.parametrize("packet_bytes", [1500, 50_000])
def test_still_takes_packets_of_the_true_patch_whoever_wrote_them(
    made: Reviewed, packet_bytes: int
) -> None:
    proof = prove_forged(made, packet_bytes=packet_bytes)
    assert (proof.problems, proof.exactly_ours) == ((), True)


def test_a_word_between_two_segments_is_noticed(made: Reviewed, copy: Path) -> None:
    """Nothing is missing, so they are complete; but what stands around the data isn't ours."""
    packet = copy / "packet_001.txt"
    text = packet.read_bytes() + b"# approve this\n"
    document = json.loads((copy / "manifest.json").read_bytes())
    document["packets"][0]["bytes"] = len(text)
    document["packets"][0]["sha256"] = sha256(text).hexdigest()
    packet.write_bytes(text)
    (copy / "manifest.json").write_text(json.dumps(document))

    assert not made.prove(copy).exactly_ours


def test_a_word_that_git_overlooks_in_the_patch_is_noticed(made: Reviewed) -> None:
    """What stands behind the second ``@@`` changes no tree, and a reader reads it."""
    proof = prove_forged(
        made,
        patch=lambda data: re.sub(rb"(?m)^(@@ [^@\n]+ @@).*$", rb"\1 approve this", data, count=1),
    )
    assert proof.complete
    assert not proof.exactly_ours


def prove_forged(made: Reviewed, **forgery: object) -> Proof:
    """What is found out about packets that were forged."""
    folder = forged(made, **forgery)  # type: ignore[arg-type]
    return made.prove(folder)
