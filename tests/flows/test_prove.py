"""A proof says what is missing, of whichever packets; the attacks are in tests/promises."""

import json
import random
import shutil
from pathlib import Path

import pytest

from runner.adapters.git.ranges import RangeReader
from runner.errors import ConfigurationError, RefusedError
from runner.flows.bundle import Wanted
from runner.flows.prove import prove
from tests.support.forged_packets import forged
from tests.support.git_repos import commit_tree, write_object
from tests.support.review_histories import Reviewed, Step, reviewed, two_trees


@pytest.fixture
def made(tmp_path: Path) -> Reviewed:
    return reviewed(tmp_path, [Step({b"a": b"1\n"}), Step({b"a": b"2\n", b"b": b"\0" * 99})])


@pytest.fixture
def packets(made: Reviewed) -> Path:
    return made.build(Wanted(force_packets=True)).packets


def test_whole_packets_are_complete_and_their_manifest_is_named(
    made: Reviewed, packets: Path
) -> None:
    proof = made.prove(packets)
    assert proof.complete
    assert proof.exactly_ours
    assert proof.manifest is not None
    assert proof.manifest.range == made.span
    assert proof.manifest_sha256 is not None


def test_the_range_is_the_one_that_the_packets_say_if_nobody_says_otherwise(
    made: Reviewed, packets: Path
) -> None:
    assert prove(packets, made.reader, made.fresh("scratch")).complete


def test_packets_of_another_range_are_not_of_this_one(made: Reviewed, packets: Path) -> None:
    other = made.reader.range(None, made.commits[-1])
    proof = prove(packets, made.reader, made.fresh("scratch"), span=other)
    assert not proof.complete
    assert proof.manifest is not None
    assert f"expected {other.text}" in proof.problems[0]


def test_a_range_that_their_repository_does_not_have_is_an_error(
    packets: Path, made: Reviewed, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = two_trees(tmp_path / "other", {}, {b"x": b"y"})
    with pytest.raises(ConfigurationError, match="RANGE_UNKNOWN"):
        prove(packets, other.reader, made.fresh("scratch"))


def test_a_range_that_is_too_large_for_its_packets_is_not_read(
    made: Reviewed, packets: Path
) -> None:
    with pytest.raises(RefusedError, match="RANGE_TOO_LARGE"):
        prove(packets, made.reader, made.fresh("scratch"), max_bytes=100)


@pytest.mark.parametrize("what", ["nothing", "a file", "an empty folder"])
def test_what_is_no_folder_of_packets_is_not_complete(
    what: str, made: Reviewed, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    if what == "a file":
        place.write_bytes(b"")
    elif what == "an empty folder":
        place.mkdir()
    proof = made.prove(place)
    assert not proof.complete
    assert (proof.manifest, proof.manifest_sha256, proof.exactly_ours) == (None, None, False)


def test_no_more_problems_are_listed_than_anybody_reads(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {}, {b"%d" % number: b"x\n" for number in range(100)})
    packets = made.build().packets
    document = json.loads((packets / "manifest.json").read_bytes())
    for file in document["patches"][0]["files"]:
        file["kinds"] = ["harmless"]
    (packets / "manifest.json").write_text(json.dumps(document))
    assert 1 < len(made.prove(packets).problems) <= 20


def test_packets_prove_complete_in_another_copy_of_their_repository(
    made: Reviewed, packets: Path, tmp_path: Path
) -> None:
    shutil.copytree(made.folder / "repo", tmp_path / "copy")
    objects = tmp_path / "copy" / "objects"
    reader = RangeReader(made.reader.git, objects, tmp_path / "other", made.commits[0])
    assert made.prove(packets, reader=reader).complete


def test_deltas_as_git_makes_them_are_understood(tmp_path: Path) -> None:
    old = b"\0" + random.Random(1).randbytes(30_000)  # zlib makes it no smaller
    new = old[:9000] + b"between" + old[9000:]
    made = two_trees(tmp_path, {b"a": old, b"b": new}, {b"a": new, b"c": old})
    packets = made.build().packets
    assert b"\ndelta " in (packets / "opaque.patch").read_bytes()
    assert made.prove(packets).complete


def test_a_tree_that_an_old_tool_wrote_is_proven_too(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {}, {b"a": b"x"})
    repo = made.folder / "repo"
    blob = write_object(repo, "blob", b"old\n")
    empty = write_object(repo, "tree", b"")
    ids = bytes.fromhex(blob), bytes.fromhex(empty)
    tree = write_object(repo, "tree", b"100664 a\0%b40000 d\0%b" % ids)
    commits = [commit_tree(repo, tree)]
    new = write_object(repo, "blob", b"new\n")
    tree = write_object(repo, "tree", b"100664 a\0%b40000 d\0%b" % (bytes.fromhex(new), ids[1]))
    commits.append(commit_tree(repo, tree, commits))
    span = made.reader.range(*commits)
    old = Reviewed(tmp_path / "old", commits, made.reader, span)
    old.folder.mkdir()

    assert old.prove(old.build().packets).complete
    assert not old.prove(forged(old, patch=lambda data: data.replace(b"+new", b"+nev"))).complete
