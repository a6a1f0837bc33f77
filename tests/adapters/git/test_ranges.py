"""A range is read as the commits have it, whatever else their repository says."""

from pathlib import Path

import pytest

from runner.adapters.git.ranges import RangeReader
from runner.errors import ConfigurationError, RefusedError, UnavailableError
from runner.model.review import EMPTY_TREE
from tests.support.git_repos import commit_tree, git, write_tree
from tests.support.review_histories import LINK, Entry, Reviewed, Step, reviewed

STEPS = [
    Step({b"a": b"1\n", b"d/b": b"2\n"}),
    Step({b"a": b"1\n", b"d/b": b"2\n", b"secret": b"between\n"}),
    Step({b"a": b"3\n", b"d/b": b"2\n", b"link": Entry(b"a", LINK)}),
]


@pytest.fixture(params=["sha1", "sha256"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Reviewed:
    return reviewed(tmp_path, STEPS, object_format=request.param)


def ask(made: Reviewed, *arguments: str) -> str:
    return git(made.folder / "repo", *arguments)


def test_a_range_has_the_trees_of_its_commits(made: Reviewed) -> None:
    base, _, head = made.commits
    assert (made.span.base, made.span.head) == (base, head)
    assert made.span.base_tree == ask(made, "rev-parse", f"{base}^{{tree}}")
    assert made.span.head_tree == ask(made, "rev-parse", f"{head}^{{tree}}")
    assert made.reader.commits(made.span) == 2


def test_a_range_without_a_base_begins_at_the_empty_tree(made: Reviewed) -> None:
    span = made.reader.range(None, made.commits[-1])
    assert span.base is None
    assert span.base_tree == ask(made, "hash-object", "-t", "tree", "/dev/null")
    assert span.base_tree in EMPTY_TREE.values()
    assert made.reader.commits(span) == 3


def test_only_a_full_id_of_a_commit_names_an_end(made: Reviewed) -> None:
    head = made.commits[-1]
    tree = ask(made, "rev-parse", f"{head}^{{tree}}")
    blob = ask(made, "rev-parse", f"{head}:a")
    for name in ("HEAD", "c2", head[:-1], head[:40] + " ", head.upper(), head + "\n", "1" * len(head),
                 tree, blob, "", "--all", f"{head}^"):  # fmt: skip
        if name != head:
            with pytest.raises(ConfigurationError, match="RANGE_UNKNOWN"):
                made.reader.range(None, name)
            with pytest.raises(ConfigurationError, match="RANGE_UNKNOWN"):
                made.reader.range(name, head)


def test_the_beginning_of_a_longer_id_names_nothing(tmp_path: Path) -> None:
    made = reviewed(tmp_path, STEPS, object_format="sha256")
    with pytest.raises(ConfigurationError, match="RANGE_UNKNOWN"):
        made.reader.range(made.commits[0][:40], made.commits[-1])


def test_a_base_that_the_head_does_not_come_from_is_refused(made: Reviewed) -> None:
    other = commit_tree(made.folder / "repo", made.span.base_tree)
    with pytest.raises(ConfigurationError, match="BASE_NOT_ANCESTOR"):
        made.reader.range(other, made.commits[-1])
    with pytest.raises(ConfigurationError, match="BASE_NOT_ANCESTOR"):
        made.reader.range(made.commits[-1], made.commits[0])


def test_the_root_is_that_of_the_first_parents(tmp_path: Path) -> None:
    steps = [Step({b"a": b"1"}), Step({b"b": b"1"}, ()), Step({b"a": b"2"}, (0, 1))]
    made = reviewed(tmp_path, steps)
    assert made.reader.root_of(made.commits[-1]) == made.commits[0]


def test_what_only_commits_in_between_have_is_found(made: Reviewed) -> None:
    secret = ask(made, "rev-parse", f"{made.commits[1]}:secret")
    assert made.reader.only_in_between(made.span) == (secret,)
    assert made.reader.only_in_between(made.reader.range(None, made.commits[-1])) == tuple(
        sorted((secret, ask(made, "rev-parse", f"{made.commits[0]}:a")))
    )


def test_a_tree_of_blobs_names_each_by_its_id(made: Reviewed) -> None:
    blobs = made.reader.only_in_between(made.span)
    listed = made.reader.listing(made.reader.tree_holding(blobs))
    assert listed == f"100644 blob {blobs[0]}\t{blobs[0]}\0".encode()
    assert made.reader.tree_holding(()) == made.reader.empty_tree


def test_sizes_are_those_of_the_objects_that_are_there(made: Reviewed) -> None:
    blob = ask(made, "rev-parse", f"{made.commits[1]}:secret")
    assert made.reader.sizes([blob, "1" * len(blob)]) == {blob: 8}


def test_a_text_is_had_from_a_regular_file_that_is_small_enough(made: Reviewed) -> None:
    head = made.commits[-1]
    assert made.reader.text_at(head, "a", max_bytes=2) == b"3\n"
    for path in ("link", "d", "none"):
        assert made.reader.text_at(head, path, max_bytes=100) is None
    assert made.reader.text_at(head, "a", max_bytes=1) is None


def test_a_patch_that_git_cannot_finish_is_an_error(made: Reviewed) -> None:
    repo = made.folder / "repo"
    missing = write_tree(repo, [("100644", b"a", "1" * len(made.commits[0]))])
    patch = made.reader.patch(made.span.base_tree, missing)
    with pytest.raises(UnavailableError, match="GIT_FAILED"), patch as blocks:
        list(blocks)


def test_a_reader_leaves_the_repository_that_it_reads_alone(made: Reviewed) -> None:
    repo = made.folder / "repo"
    before = {path: path.stat().st_mtime_ns for path in repo.rglob("*")}
    made.reader.tree_holding(made.reader.only_in_between(made.span))
    made.prove(made.build().packets)
    assert {path: path.stat().st_mtime_ns for path in repo.rglob("*")} == before


def test_a_repository_that_stands_there_already_is_not_used(made: Reviewed) -> None:
    with pytest.raises(FileExistsError):
        RangeReader(made.reader.git, made.folder, made.folder / "own", made.commits[0])


def test_folders_that_hold_each_other_many_times_fill_no_memory(tmp_path: Path) -> None:
    made = reviewed(tmp_path, [Step({b"a": b"1\n"})])
    repo = made.folder / "repo"
    blob = ask(made, "rev-parse", f"{made.commits[0]}:a")
    tree = write_tree(repo, [("100644", b"f%d" % n, blob) for n in range(10)])
    for _ in range(9):  # ten thousand million files in ten objects
        tree = write_tree(repo, [("40000", b"d%d" % n, tree) for n in range(10)])
    with pytest.raises(RefusedError, match="RANGE_TOO_LARGE"):
        made.reader.listing(tree)
    head = commit_tree(repo, tree, made.commits)
    with pytest.raises(RefusedError, match="RANGE_TOO_LARGE"):
        made.reader.only_in_between(made.reader.range(made.commits[0], head))
