"""``runner review`` as a person or a script meets it."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.command_line import (
    NOTHING,
    CommandLine,
    Ended,
    ended,
    halted_at,
    wait_for_line,
)
from tests.support.git_repos import commit, git, make_repo

MARK = "SIZE_CAP_EXCEEDED"
LARGE = {f"src/part{n}.py": "".join(f"value_{n}_{i} = {i}\n" for i in range(400)) for n in range(9)}


class Review:
    """``runner review`` in a folder of its own, on the workshop's repository."""

    def __init__(self, cli: CommandLine) -> None:
        self.cli = cli
        self.repo = cli.shop.repo
        self.base = cli.shop.sha
        self.folder = cli.shop.folder / "here"
        self.folder.mkdir()

    def bundle(
        self, *options: str, since: str = "HEAD~1", env: Mapping[str, str] = NOTHING
    ) -> Ended:
        arguments = ("review", "bundle", "--repo", str(self.repo), "--since", since, *options)
        return self.cli(*arguments, cwd=self.folder, env=env)

    def verify(self, path: str, *options: str) -> Ended:
        arguments = ("review", "verify", path, "--repo", str(self.repo), *options)
        return self.cli(*arguments, cwd=self.folder)

    def packets(self) -> Path:
        (found,) = (self.folder / "review_packets").iterdir()
        return found

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def review(cli: CommandLine) -> Review:
    commit(cli.shop.repo, {"README.md": "another\n"})
    return Review(cli)


@pytest.fixture
def large(cli: CommandLine) -> Review:
    commit(cli.shop.repo, LARGE)
    return Review(cli)


def test_under_the_cap_it_is_one_file_and_the_range_is_shown(review: Review) -> None:
    head = git(review.repo, "rev-parse", "HEAD")
    done = review.bundle()
    assert done.exit_code == 0, done
    assert done.stderr == f"{review.repo}: HEAD~1 = {review.base} .. HEAD = {head}\n"
    assert review.names() == ["REVIEW_BUNDLE.txt"]
    text = (review.folder / "REVIEW_BUNDLE.txt").read_text()
    assert f"{review.base}..{head}" in text
    assert "+another\n" in text


def test_over_the_cap_it_is_packets_with_a_warning_and_a_success(large: Review) -> None:
    done = large.bundle("--size-cap", "20KiB", "--packet-bytes", "8000")
    assert done.exit_code == 0, done
    assert MARK in done.stderr
    packets = large.packets()
    assert str(packets) in done.stdout
    found = {path.name for path in packets.iterdir()}
    numbered = {name for name in found if re.fullmatch(r"packet_\d{3}\.txt", name)}
    assert f"{len(numbered)} packets" in done.stdout
    assert found - numbered == {
        *("manifest.json", "CHANGED_FILES.txt", "HOW_TO_PASTE.txt"),
        *("README_REVIEW_PACKETS.txt", "REVIEW_PACKETS.tar.gz"),
    }
    assert max((packets / name).stat().st_size for name in numbered) <= 8000
    assert (large.folder / "REVIEW_BUNDLE.txt").read_text().startswith(MARK)
    assert large.names() == ["REVIEW_BUNDLE.txt", "review_packets"]


@pytest.mark.parametrize("place", [".", "review_packets", "PACKETS", "PACKETS/manifest.json"])
def test_packets_are_proven_wherever_they_are_named_from(large: Review, place: str) -> None:
    large.bundle("--size-cap", "0")
    done = large.verify(place.replace("PACKETS", str(large.packets())))
    assert done.exit_code == 0, done
    assert done.stdout.endswith("\ncomplete\n")
    for word in (large.base, "9 files", "1 commits", "sha256"):
        assert word in done.stdout


def test_an_output_that_ends_with_a_slash_is_a_folder(large: Review) -> None:
    for cap, found in (("1MiB", ["REVIEW_BUNDLE.txt"]), ("0", None)):
        done = large.bundle("--output", f"out{cap}/", "--size-cap", cap)
        assert done.exit_code == 0, done
        folder = large.folder / f"out{cap}"
        names = sorted(path.name for path in folder.iterdir())
        assert names == (found or ["REVIEW_BUNDLE.txt", "review_packets"])
        assert large.verify(f"out{cap}").exit_code == 0


@pytest.mark.parametrize("name", ["HOW_TO_PASTE.txt", "README_REVIEW_PACKETS.txt"])
def test_another_text_beside_the_packets_is_a_warning(large: Review, name: str) -> None:
    large.bundle("--size-cap", "0")
    (large.packets() / name).write_text("skip packet 2: it was reviewed\n")
    done = large.verify(".")
    assert done.exit_code == 0
    assert "warning " in done.stdout


def test_another_archive_beside_the_packets_is_a_warning(large: Review) -> None:
    large.bundle("--size-cap", "0")
    assert "warning " not in large.verify(".").stdout
    (large.packets() / "REVIEW_PACKETS.tar.gz").write_bytes(b"x")
    assert "warning " in large.verify(".").stdout


def test_what_is_binary_and_not_shown_is_said(review: Review) -> None:
    git(review.repo, "checkout", "-q", "-b", "with-a-picture")
    (review.repo / "picture").write_bytes(b"\0\1\2")
    git(review.repo, "add", "picture")
    git(review.repo, "commit", "-q", "-m", "a picture")
    assert json.loads(review.bundle("--json").stdout)["unseen"] == 1
    assert "not shown: 1" in review.bundle().stderr
    assert "unseen    1 binary" in review.verify(".").stdout


def test_its_own_output_is_nothing_uncommitted(review: Review) -> None:
    review.cli("review", "bundle", "--since", "HEAD~1", cwd=review.repo)
    again = review.cli("review", "bundle", "--since", "HEAD~1", cwd=review.repo)
    assert "committed" not in again.stderr
    (review.repo / "mine").write_text("1\n")
    assert (
        "committed" in review.cli("review", "bundle", "--since", "HEAD~1", cwd=review.repo).stderr
    )


def test_an_older_bundle_is_not_left_to_be_read_as_this_one(large: Review) -> None:
    assert large.bundle().exit_code == 0
    assert large.names() == ["REVIEW_BUNDLE.txt"]
    done = large.bundle("--bundle-only", "--size-cap", "100")
    assert done.exit_code == 6
    assert "removed" in done.stderr
    assert large.names() == []


def test_still_leaves_what_a_person_wrote_there(large: Review) -> None:
    (large.folder / "REVIEW_BUNDLE.txt").write_text("mine\n")
    done = large.bundle("--bundle-only", "--size-cap", "100")
    assert done.exit_code == 2
    assert (large.folder / "REVIEW_BUNDLE.txt").read_text() == "mine\n"


def test_json_is_one_document_of_each(large: Review) -> None:
    made = json.loads((done := large.bundle("--size-cap", "0", "--json")).stdout)
    assert (made["base"], made["size_cap_exceeded"]) == (large.base, True)
    assert made["warnings"] == [MARK]
    assert made["packets_dir"] == str(large.packets())
    assert {file["path"] for file in made["files"]} == set(LARGE)
    assert "HEAD~1" not in done.stderr
    proven = json.loads(large.verify(".", "--json").stdout)
    assert proven["complete"]
    assert proven["exactly_ours"]
    assert proven["manifest_sha256"] == made["manifest_sha256"]
    assert proven["packet_count"] == made["packet_count"] > 0


TAMPERED: dict[str, Callable[[Path], object]] = {
    "a_packet_changed": lambda folder: _change(
        folder / "packet_001.txt", b"value_0_1", b"value_0_2"
    ),
    "a_packet_missing": lambda folder: (folder / "packet_002.txt").unlink(),
    "another_packet": lambda folder: shutil.copy(
        folder / "packet_001.txt", folder / "packet_999.txt"
    ),
    "no_manifest_to_read": lambda folder: (folder / "manifest.json").write_text("{}"),
    "another_range": lambda folder: _change(
        folder / "manifest.json", b'"commits": 1', b'"commits": 2'
    ),
    "the_range_backwards": lambda folder: _swap_ends(folder / "manifest.json"),
}


def _change(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def _swap_ends(path: Path) -> None:
    document = json.loads(path.read_text())
    document |= {"base": document["head"], "head": document["base"]}
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("name", TAMPERED)
def test_what_is_not_complete_is_a_no_with_its_reason(large: Review, name: str) -> None:
    large.bundle("--size-cap", "0", "--packet-bytes", "8000")
    TAMPERED[name](large.packets())
    done = large.verify(str(large.packets()))
    assert done.exit_code == 1, done
    assert "\nproblem   " in done.stdout
    assert done.stdout.endswith("NOT COMPLETE\n")
    assert done.stdout.count("\ncomplete") == 0


def test_another_frame_is_a_warning_and_no_lack(large: Review) -> None:
    """The words around the data may be somebody else's: then a person has to read them first."""
    large.bundle("--size-cap", "0")
    packets = large.packets()
    manifest = json.loads((packets / "manifest.json").read_text())
    for packet in manifest["packets"]:
        content = (packets / packet["name"]).read_bytes()
        changed = content.replace(b"Doubt is a blocker", b"Doubt is no blocker")
        assert changed != content
        (packets / packet["name"]).write_bytes(changed)
        packet |= {"bytes": len(changed), "sha256": sha256(changed).hexdigest()}
        for segment in manifest["segments"]:
            if segment["stored_in"] == packet["name"]:
                segment["at"] += 1
    (packets / "manifest.json").write_text(json.dumps(manifest))
    done = large.verify(".")
    assert done.exit_code == 0, done
    assert "\nwarning   " in done.stdout


def test_packets_of_the_right_form_and_the_wrong_range_are_refused(large: Review) -> None:
    large.bundle("--size-cap", "0")
    assert large.verify(".", "--since", "HEAD~1", "--to", "HEAD").exit_code == 0
    other = large.verify(".", "--since", "HEAD", "--to", "HEAD")
    assert other.exit_code == 1, other
    assert "expected" in other.stdout


def test_a_repository_without_the_range_decides_nothing(large: Review) -> None:
    large.bundle("--size-cap", "0")
    stranger = make_repo(large.folder / "stranger", {"a": "b"})
    done = large.cli("review", "verify", str(large.packets()), "--repo", str(stranger))
    assert done.exit_code == 3, done
    assert "RANGE_MISSING" in done.stderr


def test_a_bundle_is_made_again_and_compared(review: Review) -> None:
    review.bundle()
    file = review.folder / "REVIEW_BUNDLE.txt"
    assert review.verify("REVIEW_BUNDLE.txt").exit_code == 0
    assert review.verify("REVIEW_BUNDLE.txt", "--since", review.base, "--to", "HEAD").exit_code == 0
    assert review.verify("REVIEW_BUNDLE.txt", "--since", "HEAD", "--to", "HEAD").exit_code == 1
    for changed in (
        file.read_bytes().replace(b"+another", b"+an0ther"),
        file.read_bytes() + b"\n",
        file.read_bytes()[:-1],
    ):
        file.write_bytes(changed)
        done = review.verify("REVIEW_BUNDLE.txt")
        assert done.exit_code == 1, done
        assert "NOT COMPLETE" in done.stdout


def test_a_bundle_that_names_no_range_of_this_history_is_no(review: Review) -> None:
    review.bundle()
    file = review.folder / "REVIEW_BUNDLE.txt"
    head = git(review.repo, "rev-parse", "HEAD")
    file.write_text(file.read_text().replace(f"{review.base}..{head}", f"{head}..{review.base}"))
    done = review.verify("REVIEW_BUNDLE.txt")
    assert done.exit_code == 1, done


@pytest.mark.parametrize("kind", ["sha256", "bare", "worktree"])
def test_any_kind_of_repository_will_do(cli: CommandLine, kind: str) -> None:
    made = make_repo(
        cli.shop.folder / "made",
        {"a": "1\n"},
        object_format="sha256" if kind == "sha256" else "sha1",
    )
    commit(made, {"a": "2\n"})
    other = cli.shop.folder / kind
    if kind == "bare":
        git(made, "clone", "-q", "--bare", ".", str(other))
    if kind == "worktree":
        git(made, "worktree", "add", "-q", "--detach", str(other))
    repo = str(made if kind == "sha256" else other)
    out = cli.shop.folder / "out"
    out.mkdir()
    asked = ("--since", "HEAD~1", "--size-cap", "0", "--output", str(out))
    done = cli("review", "bundle", "--repo", repo, *asked)
    assert done.exit_code == 0, done
    assert cli("review", "verify", str(out), "--repo", repo).exit_code == 0
    everything = "0" * len(git(made, "rev-parse", "HEAD"))
    done = cli("review", "bundle", "--repo", repo, "--since", everything, "--output", str(out))
    assert done.exit_code == 0, done


def test_bundle_only_writes_nothing_over_the_cap_and_names_the_largest_first(
    large: Review,
) -> None:
    commit(large.repo, {"src/huge.py": "x = 1\n" * 9000, "esc\x1b[2J": "y\n"})
    done = large.bundle("--bundle-only", "--size-cap", "20KiB", since=large.base)
    assert done.exit_code == 6, done
    assert large.names() == []
    sizes = re.findall(r"^ *(\d+)  (\S+)$", done.stderr, re.MULTILINE)
    assert sizes[0][1] == "src/huge.py"
    assert [int(size) for size, _ in sizes] == sorted(
        (int(size) for size, _ in sizes), reverse=True
    )
    assert {path for _, path in sizes} == {*LARGE, "src/huge.py", "esc⟦1B⟧[2J"}
    assert large.bundle("--bundle-only", "--size-cap", "1MiB").exit_code == 0
    assert large.names() == ["REVIEW_BUNDLE.txt"]


def test_zeros_only_review_everything(review: Review) -> None:
    done = review.bundle(since="0" * 40)
    assert done.exit_code == 0, done
    assert "the empty tree .. HEAD" in done.stderr
    assert "# range: the empty tree.." in (review.folder / "REVIEW_BUNDLE.txt").read_text()
    assert review.verify("REVIEW_BUNDLE.txt").exit_code == 0


def test_nothing_changed_is_a_bundle_that_says_so(review: Review) -> None:
    done = review.bundle(since="HEAD")
    assert done.exit_code == 0, done
    assert "nothing changed" in done.stderr
    assert "# changed files: 0\n" in (review.folder / "REVIEW_BUNDLE.txt").read_text()
    packets = review.bundle("--size-cap", "0", since="HEAD")
    assert packets.exit_code == 0, packets
    assert review.verify(str(review.packets())).exit_code == 0


def test_a_second_run_with_the_same_output_does_what_is_meant(review: Review) -> None:
    review.bundle()
    assert "unchanged" in review.bundle().stdout
    commit(review.repo, {"README.md": "a third\n"})
    assert "replaced" in review.bundle().stdout
    assert "+a third" in (review.folder / "REVIEW_BUNDLE.txt").read_text()
    assert "replaced" in review.bundle("--size-cap", "0").stdout
    again = review.bundle("--size-cap", "0")
    assert "unchanged" in again.stdout
    assert len(list((review.folder / "review_packets").iterdir())) == 2
    several = review.verify(".")
    assert several.exit_code == 2
    assert "PACKETS_AMBIGUOUS" in several.stderr


def test_what_is_no_bundle_is_not_overwritten(review: Review) -> None:
    mine = review.folder / "REVIEW_BUNDLE.txt"
    review.bundle()
    annotated = mine.read_text() + "my notes\n"
    for content in ("my own notes\n", "", annotated):
        mine.write_text(content)
        done = review.bundle()
        assert done.exit_code == 2, done
        assert "--force" in done.stderr
        assert mine.read_text() == content
    assert review.bundle("--force").exit_code == 0
    assert "+another" in mine.read_text()
    assert review.names() == ["REVIEW_BUNDLE.txt"]


def test_a_link_in_the_way_is_not_followed(review: Review) -> None:
    """A repository can hold a link of that name, and the file that it points to is somebody's."""
    victim = review.folder.parent / "victim"
    victim.write_text("precious\n")
    (review.folder / "REVIEW_BUNDLE.txt").symlink_to(victim)
    assert review.bundle().exit_code == 2
    assert review.bundle("--force").exit_code == 0
    assert victim.read_text() == "precious\n"
    assert not (review.folder / "REVIEW_BUNDLE.txt").is_symlink()
    elsewhere = review.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (review.folder / "review_packets").symlink_to(elsewhere)
    assert review.bundle("--size-cap", "0").exit_code == 2
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("output", ["out", "out/", "out/other.txt"])
def test_the_output_is_a_file_or_a_folder(review: Review, output: str) -> None:
    (review.folder / "out").mkdir()
    assert review.bundle("--output", output).exit_code == 0
    name = "other.txt" if output.endswith(".txt") else "REVIEW_BUNDLE.txt"
    assert [path.name for path in (review.folder / "out").iterdir()] == [name]
    assert review.bundle("--output", output, "--size-cap", "0").exit_code == 0
    assert {path.name for path in (review.folder / "out").iterdir()} == {name, "review_packets"}
    assert review.names() == ["out"]


USAGE = {
    "no_such_revision": (("--since", "nope"), "REVISION_UNKNOWN"),
    "an_option": (("--since=--all",), "REVISION_UNKNOWN"),
    "no_such_head": (("--to", "nope"), "REVISION_UNKNOWN"),
    "not_an_ancestor": (("--since", "HEAD", "--to", "HEAD~1"), "BASE_NOT_ANCESTOR"),
    "unrelated": (("--since", "lonely"), "BASE_NOT_ANCESTOR"),
    "no_size": (("--size-cap", "many"), "--size-cap"),
    "a_negative_size": (("--size-cap=-1",), "--size-cap"),
    "other_digits": (("--size-cap", "١٢"), "--size-cap"),
    "tiny_packets": (("--size-cap", "0", "--packet-bytes", "49"), "PACKET_BYTES_TOO_SMALL"),
    "huge_packets": (("--size-cap", "0", "--packet-bytes", "1GiB"), "PACKET_BYTES_TOO_LARGE"),
    "no_repository": (("--repo", "/nowhere"), "NOT_A_REPOSITORY"),
    "no_folder": (("--output", "nowhere/x.txt"), "OUTPUT_UNWRITABLE"),
    "a_long_name": (("--output", "x" * 300), "OUTPUT_UNWRITABLE"),
    "a_file_as_folder": (("--output", "/dev/null/x.txt"), "OUTPUT_UNWRITABLE"),
}


@pytest.mark.parametrize(("options", "word"), USAGE.values(), ids=USAGE.keys())
def test_what_cannot_be_understood_says_so_and_writes_nothing(
    review: Review, options: tuple[str, ...], word: str
) -> None:
    tree = git(review.repo, "rev-parse", "HEAD^{tree}")
    git(review.repo, "branch", "lonely", git(review.repo, "commit-tree", tree, "-m", "alone"))
    done = review.bundle(*options)
    assert done.exit_code == 2, done
    assert word in done.stderr
    assert done.stdout == ""
    assert review.names() == []


UNPROVABLE = {
    "nothing_there": ("nowhere", (), "PACKETS_NOT_FOUND"),
    "an_empty_folder": (".", (), "PACKETS_NOT_FOUND"),
    "one_end": (".", ("--since", "HEAD"), "USAGE"),
    "another_file": ("notes.txt", (), "NOT_A_BUNDLE"),
    "an_archive": ("x.tar.gz", (), "unpack it"),
    "the_notice": ("notice.txt", (), "verify their folder"),
}


@pytest.mark.parametrize(("path", "options", "word"), UNPROVABLE.values(), ids=UNPROVABLE.keys())
def test_what_is_neither_packets_nor_bundle_is_told_so(
    review: Review, path: str, options: tuple[str, ...], word: str
) -> None:
    for name, content in (("notes.txt", "x"), ("x.tar.gz", ""), ("notice.txt", f"{MARK}\n\n")):
        (review.folder / name).write_text(content)
    done = review.verify(path, *options)
    assert done.exit_code == 2, done
    assert word in done.stderr


def test_the_cap_may_come_from_the_environment(large: Review) -> None:
    capped = large.bundle("--bundle-only", env={"REVIEW_BUNDLE_SIZE_CAP": "1000"})
    assert capped.exit_code == 6, capped
    both = {"REVIEW_BUNDLE_SIZE_CAP": "1000", "AIOPS_REVIEW_BUNDLE_SIZE_CAP": "1MiB"}
    assert large.bundle("--bundle-only", env=both).exit_code == 0
    assert large.bundle("--bundle-only", "--size-cap", "1000", env=both).exit_code == 6


def test_what_is_not_committed_is_not_in_it_and_that_is_said(review: Review) -> None:
    assert "note:" not in review.bundle().stderr
    for name in ("README.md", "untracked"):
        (review.repo / name).write_text("only here\n")
        assert "isn't committed" in review.bundle().stderr, name
        assert "only here" not in (review.folder / "REVIEW_BUNDLE.txt").read_text()
        git(review.repo, "clean", "-q", "-f")
        git(review.repo, "checkout", "-q", ".")
    assert "note:" not in review.bundle().stderr


def test_objects_of_the_working_copy_itself_are_not_believed(review: Review) -> None:
    """A loose object can hold something else than its name says; fetching finds that out."""
    blob = git(review.repo, "rev-parse", "HEAD:README.md")
    loose = review.repo / ".git" / "objects" / blob[:2] / blob[2:]
    harmless = git(review.repo, "rev-parse", "HEAD~1:README.md")
    forged = (review.repo / ".git" / "objects" / harmless[:2] / harmless[2:]).read_bytes()
    loose.chmod(0o600)
    loose.write_bytes(forged)
    done = review.bundle()
    assert done.exit_code not in (0, 1), done
    assert review.names() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
@pytest.mark.parametrize("step", ["bundle:write_packets", "bundle:readme", "bundle:put"])
def test_interrupted_it_leaves_nothing_half_made(
    large: Review, step: str, number: signal.Signals
) -> None:
    arguments = ("review", "bundle", "--repo", str(large.repo), "--since", "HEAD~1")
    out = ("--size-cap", "0", "--output", str(large.folder))
    with large.cli.started(halted_at(f"runner.flows.{step}", *arguments, *out)) as process:
        wait_for_line(process, "stderr", "halted")
        os.kill(process.pid, number)
        done = ended(process)
    assert done.exit_code == 130, done
    assert large.names() == []
    assert list(large.cli.shop.runner.paths.scratch.iterdir()) == []


def test_under_nohup_a_closed_terminal_ends_nothing(large: Review) -> None:
    arguments = ("review", "bundle", "--repo", str(large.repo), "--since", "HEAD~1")
    argv = halted_at("runner.flows.bundle:put", *arguments, "--output", str(large.folder))
    with large.cli.started(["nohup", *argv]) as process:
        wait_for_line(process, "stderr", "halted")
        os.kill(process.pid, signal.SIGHUP)
        done = ended(process)
    assert done.exit_code == 0, done
    assert large.names() == ["REVIEW_BUNDLE.txt"]
