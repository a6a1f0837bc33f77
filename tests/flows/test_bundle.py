"""A range becomes one bundle where it fits, else packets, and either is all there or not there."""

import json
import tarfile
from pathlib import Path

import pytest

from runner.errors import ConfigurationError, RefusedError
from runner.flows.bundle import Places, Wanted, build
from runner.model.review import MAX_PACKET_BYTES
from runner.policy.packets import manifest as manifests
from tests.support.review_histories import (
    LINK,
    Entry,
    Reviewed,
    Step,
    reviewed,
    two_trees,
)


@pytest.fixture
def made(tmp_path: Path) -> Reviewed:
    rows = [b"row %d\n" % number for number in range(400)]
    steps = [
        Step({b"text": b"".join(rows), b"gone": b"gone\n"}),
        Step({b"text": b"", b"between": b"only here\n"}),
        Step(
            {
                b"text": b"".join((b"first\n", *rows, b"last\n")),
                b"image": b"\0" * 500,
                b"link": Entry(b"text", LINK),
                b"new": b"".join(b"new %d\n" % number for number in range(500)),
            }
        ),
    ]
    return reviewed(tmp_path, steps)


def test_what_fits_becomes_one_bundle_and_nothing_else(made: Reviewed) -> None:
    output = made.build(Wanted())
    (name, text), *others = output.files().items()
    assert (name, others) == ("REVIEW_BUNDLE.txt", [])
    assert not output.built.exceeded
    assert output.built.size_bytes == len(text)
    for part in (b"+first\n", b"+last\n", b"-gone\n", b"+only here\n", b"opaque", b"symlink"):
        assert part in text


def test_the_cap_is_in_bytes_of_what_is_sent(tmp_path: Path) -> None:
    made = two_trees(tmp_path, {}, {b"a": "é".encode() * 2000 + b"\n"})
    size = made.build().built.size_bytes
    whole = made.build(Wanted(size_cap_bytes=1 << 20)).built.size_bytes
    assert whole > size > 4000
    assert not made.build(Wanted(size_cap_bytes=whole)).built.exceeded
    assert made.build(Wanted(size_cap_bytes=whole - 1)).built.exceeded


def test_what_does_not_fit_becomes_packets_and_the_bundle_says_so(made: Reviewed) -> None:
    output = made.build(Wanted(size_cap_bytes=1000, packet_bytes=2000))
    files = output.files()
    packets = output.packet_texts()

    assert output.built.exceeded
    assert output.built.packets == len(packets) > 3
    assert files["REVIEW_BUNDLE.txt"].startswith(b"SIZE_CAP_EXCEEDED\n")
    assert b"+first" not in files["REVIEW_BUNDLE.txt"]
    assert b"manifest.json" in files["README.txt"]
    assert {name.rpartition("/")[2] for name in files} >= {
        "manifest.json", "CHANGED_FILES.txt", "HOW_TO_PASTE.txt", "opaque.patch", "A.tar.gz",
    }  # fmt: skip
    assert manifests.from_json(files["packets/manifest.json"]).range == made.span


def test_packets_are_made_where_they_are_asked_for(made: Reviewed) -> None:
    output = made.build(Wanted(force_packets=True))
    assert output.built.exceeded
    assert b"Packets were asked for." in output.files()["REVIEW_BUNDLE.txt"]


def test_the_archive_holds_the_same_files_as_the_folder(made: Reviewed) -> None:
    output = made.build(Wanted(force_packets=True, packet_bytes=2000))
    with tarfile.open(output.folder / "A.tar.gz") as archive:
        held = {
            member.name: file.read()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }
    files = output.files()
    assert held == {
        f"review_packets/{name.removeprefix('packets/')}": data
        for name, data in files.items()
        if name.startswith("packets/")
    }


def test_what_needs_most_care_comes_first(made: Reviewed) -> None:
    packets = made.build(Wanted(force_packets=True, packet_bytes=2000)).packets
    document = json.loads((packets / "manifest.json").read_bytes())
    files = [document["patches"][0]["files"][n]["path"] for n in range(5)]
    order = list(dict.fromkeys(s["file"] for s in document["segments"] if s["patch"] == 0))
    assert [files[number] for number in order] == ["image", "link", "gone", "new", "text"]


def test_the_size_of_each_file_is_told_in_order(made: Reviewed) -> None:
    sizes = made.build(Wanted(size_cap_bytes=10)).built.file_bytes
    in_range = {file.path: file.size for file in sizes if not file.in_between}
    assert list(in_range) == [b"gone", b"image", b"link", b"new", b"text"]
    assert in_range[b"new"] > 4000
    assert [file.in_between for file in sizes] == [False] * 5 + [True] * 2


def test_without_a_place_for_packets_nothing_is_written(made: Reviewed) -> None:
    folder = made.fresh("out")
    places = Places(folder / "REVIEW_BUNDLE.txt")
    built = build(made.reader, made.span, Wanted(10), places, made.fresh("scratch"))
    assert built.exceeded
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(force_packets=True)])
def test_nothing_changed_is_said_as_such(wanted: Wanted, tmp_path: Path) -> None:
    made = two_trees(tmp_path, {b"a": b"1"}, {b"a": b"1"})
    output = made.build(wanted)
    assert output.built.file_bytes == ()
    assert output.built.packets == 0
    if output.built.exceeded:
        assert made.prove(output.packets).complete


@pytest.mark.parametrize(
    ("packet_bytes", "code"),
    [(49, "TOO_SMALL"), (0, "TOO_SMALL"), (-1, "TOO_SMALL"), (MAX_PACKET_BYTES + 1, "TOO_LARGE")],
)
def test_packets_that_no_proof_would_take_are_not_made(
    made: Reviewed, packet_bytes: int, code: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"PACKET_BYTES_{code}"):
        made.build(Wanted(force_packets=True, packet_bytes=packet_bytes))


def test_a_manifest_that_no_proof_would_read_is_not_written(
    made: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "MAX_BYTES", 1000)
    with pytest.raises(RefusedError, match="TOO_MANY_PACKETS"):
        made.build()
    assert not [path for path in made.folder.glob("out-*/*") if path.name != "README.txt"]


def test_what_stands_there_already_is_left_alone(made: Reviewed) -> None:
    folder = made.fresh("out")
    (folder / "packets").mkdir()
    (folder / "packets" / "mine").write_bytes(b"x")
    places = Places(folder / "REVIEW_BUNDLE.txt", folder / "packets")
    with pytest.raises(ConfigurationError, match="OUTPUT_EXISTS"):
        build(made.reader, made.span, Wanted(10), places, made.fresh("scratch"))
    assert [path.name for path in folder.rglob("*")] == ["packets", "mine"]


def test_nothing_is_left_under_its_name_where_something_could_not_be_written(
    made: Reviewed,
) -> None:
    folder = made.fresh("out")
    places = Places(folder / "REVIEW_BUNDLE.txt", folder / "packets", folder / "none" / "A.tar.gz")
    with pytest.raises(FileNotFoundError):
        build(made.reader, made.span, Wanted(10), places, made.fresh("scratch"))
    assert list(folder.iterdir()) == []


def test_nothing_is_left_in_the_scratch_folder(made: Reviewed) -> None:
    made.build(Wanted(force_packets=True))
    made.build(Wanted())
    assert [path for folder in made.folder.glob("scratch-*") for path in folder.iterdir()] == []
