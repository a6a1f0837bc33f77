"""Hostile histories in real git, and what the program makes of them.

A history is written by one ``git fast-import``, which takes any name and any content; so nothing
here depends on what a work tree or a disk can hold.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from runner.adapters.git.config import write_git_config
from runner.adapters.git.process import GitProcess
from runner.adapters.git.ranges import RangeReader, new_repository
from runner.flows.bundle import Built, Places, Wanted, build
from runner.flows.prove import Proof, prove
from runner.model.review import ReviewRange
from tests.support.git_repos import git_bytes

FILE, SCRIPT, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
LENGTHS = {"sha1": 40, "sha256": 64}


@dataclass(frozen=True)
class Entry:
    """What lies at a path: its mode, and its content or the id of a submodule's commit."""

    content: bytes
    mode: str = FILE


Tree = Mapping[bytes, Entry | bytes]
"""What lies at each path; bytes alone are an ordinary file."""


@dataclass(frozen=True)
class Step:
    """One commit.

    Attributes:
        tree: All of it.
        parents: Numbers of earlier commits; null: the one before it.
    """

    tree: Tree
    parents: tuple[int, ...] | None = None


# --- writing ----------------------------------------------------------------------------------


def write_history(folder: Path, steps: Sequence[Step], object_format: str = "sha1") -> list[str]:
    """A bare repository at ``folder`` with those commits; returns their ids, in order."""
    new_repository(folder, "0" * LENGTHS[object_format])
    stream = b"".join(_commit(n, step, object_format) for n, step in enumerate(steps))
    marks = folder / "marks"
    git_bytes(folder, "fast-import", "--quiet", "--force", f"--export-marks={marks}", stdin=stream)
    found = dict(line.split() for line in marks.read_text().splitlines())
    return [found[f":{number + 1}"] for number in range(len(steps))]


def _commit(number: int, step: Step, object_format: str) -> bytes:
    parents = step.parents
    if parents is None:
        parents = (number - 1,) if number else ()
    lines = [b"commit refs/heads/c%d\nmark :%d\n" % (number, number + 1)]
    lines.append(b"committer A Tester <tester@example.org> 17000%05d +0000\n" % number)
    lines.append(b"data 1\nx")
    for word, parent in zip((b"from", b"merge", b"merge"), parents, strict=False):
        lines.append(b"\n%b :%d" % (word, parent + 1))
    lines.append(b"\ndeleteall\n")
    for path, what in sorted(step.tree.items()):
        entry = what if isinstance(what, Entry) else Entry(what)
        place = b'"%b"' % b"".join(b"\\%03o" % byte for byte in path)
        mode = entry.mode.encode()
        if entry.mode == SUBMODULE:
            oid = entry.content.hex()[: LENGTHS[object_format]].ljust(LENGTHS[object_format], "1")
            lines.append(b"M %b %b %b\n" % (mode, oid.encode(), place))
        else:
            lines.append(b"M %b inline %b\n" % (mode, place))
            lines.append(b"data %d\n%b\n" % (len(entry.content), entry.content))
    return b"".join(lines)


@dataclass(frozen=True)
class Reviewed:
    """A repository, and one range of it."""

    folder: Path
    commits: list[str]
    reader: RangeReader
    span: ReviewRange
    _made: list[Path] = field(default_factory=list)

    def fresh(self, what: str) -> Path:
        """A new empty folder."""
        made = self.folder / f"{what}-{len(self._made)}"
        self._made.append(made)
        made.mkdir()
        return made

    def build(self, wanted: Wanted | None = None) -> "Output":
        """What is made of the range."""
        folder = self.fresh("out")
        places = Places(
            folder / "REVIEW_BUNDLE.txt",
            folder / "packets",
            folder / "A.tar.gz",
            folder / "README.txt",
        )
        wanted = wanted or Wanted(force_packets=True)
        built = build(self.reader, self.span, wanted, places, self.fresh("scratch"))
        return Output(folder, built)

    def prove(self, packets: Path, *, reader: RangeReader | None = None) -> Proof:
        """Whether ``packets`` hold all of the range."""
        scratch = self.fresh("scratch")
        return prove(packets, reader or self.reader, scratch, span=self.span)


@dataclass(frozen=True)
class Output:
    """What ``build`` wrote."""

    folder: Path
    built: Built

    @property
    def packets(self) -> Path:
        """The folder of the packets."""
        return self.folder / "packets"

    def files(self) -> dict[str, bytes]:
        """Every file, by its path below the folder."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def packet_texts(self) -> list[bytes]:
        """The packets, in order."""
        return [path.read_bytes() for path in sorted(self.packets.glob("packet_*.txt"))]


def our_git(folder: Path) -> GitProcess:
    """A git of the program's own, configured below ``folder``."""
    write_git_config(folder / "gitconfig")
    return GitProcess(folder / "gitconfig", timeout_s=60)


def reviewed(
    folder: Path,
    steps: Sequence[Step],
    *,
    base: int | None = 0,
    object_format: str = "sha1",
) -> Reviewed:
    """A history below ``folder``, and its range from commit ``base`` to the last one."""
    commits = write_history(folder / "repo", steps, object_format)
    reader = RangeReader(our_git(folder), folder / "repo" / "objects", folder / "own", commits[-1])
    span = reader.range(None if base is None else commits[base], commits[-1])
    return Reviewed(folder, commits, reader, span)


def two_trees(folder: Path, before: Tree, after: Tree) -> Reviewed:
    """The shortest range: one commit that makes ``after`` of ``before``."""
    return reviewed(folder, [Step(before), Step(after)])


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for one example; pytest's own would be shared by all examples of a test."""
    with tempfile.TemporaryDirectory(prefix="aiops-history-", dir="/tmp") as folder:
        yield Path(folder)


# --- making up --------------------------------------------------------------------------------

NAMES = (
    b"a", b"b", b"dir", b"with space", b"trailing ", b'quo"te', b"tab\tbed", b"new\nline",
    b"back\\slash", b"-x", b":(exclude)a", b"*", b"caf\xc3\xa9", b"\xff\xfe", b"\xe2\x80\xae",
    b"\xe2\xa6\x9b1B\xe2\xa6\x9d", b"a => b", b"{a,b}", b"\x01\x7f", b"x\r", b"#end segment 1",
    b".gitattributes", b".gitmodules", b"diff --git a b", b"dev", b"null", b"n" * 230,
)  # fmt: skip
FRAGMENTS = (
    b"plain\n", b"\n", b"\r\n", b"lone\rcr\n", b"form\x0cfeed\n", b"vt\x0b\n", b"nel\xc2\x85\n",
    b"ls\xe2\x80\xa8ps\xe2\x80\xa9\n", b"bidi\xe2\x80\xae\xe2\x81\xa6\n", b"zw\xe2\x80\x8b\n",
    b"tag\xf3\xa0\x81\x81\n", b"\xff\xfe\x80\n", b"\xe2\x80\n", b"\xf0\x9f\x98\x80\n", b"\xed\xa0\x80\n",
    b"diff --git a/x b/x\n", b"@@ -1 +1 @@\n", b"--- a/x\n", b"+++ b/x\n", b"-- a/x\n", b"++ b/x\n",
    b"#end segment 1\n", b"# end of packet 1 of 1\n", b"#1\n", b"~\n", b"~~\n",
    "\u27e61B\u27e7\n".encode(), "\u27e6U+202E\u27e7\n".encode(), "\u27e6\n".encode(),
    b"\\ No newline at end of file\n", b"GIT binary patch\n", b"literal 0\nHcmV?d00001\n\n",
    b"index 0000000..1111111\n", b"\x1b[31m\n", b" \n", b"+\n", b"-\n", b"\\\n",
)  # fmt: skip
ATTRIBUTES = (
    b"* -diff\n", b"* binary\n", b"* diff=x\n", b"* text eol=crlf\n", b"* -text -diff -merge\n",
    b"* filter=x\n* working-tree-encoding=UTF-16\n",
)  # fmt: skip
MODULES = b'[submodule "a"]\n\tpath = a\n\turl = https://example.org/a\n\tignore = all\n'

_paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(b"/".join)
_lines = st.lists(
    st.one_of(
        st.sampled_from(FRAGMENTS),
        st.integers(0, 99).map(lambda n: b"line %d\n" % n),
        st.binary(max_size=12),
    ),
    max_size=30,
)
_texts = st.one_of(
    _lines.map(b"".join),
    _lines.map(lambda lines: b"".join(lines).rstrip(b"\n")),
    st.sampled_from((b"", b"\n", b"\0", *ATTRIBUTES, MODULES)),
    st.tuples(st.sampled_from((b"x", b"\x1b", "é".encode(), b"\xff", b"\xe2\x80\xae")),
              st.integers(1, 1500)).map(lambda pair: pair[0] * pair[1]),
    st.integers(20, 400).map(lambda n: b"".join(b"row %d\n" % i for i in range(n))),
    st.tuples(st.binary(max_size=300), st.binary(max_size=300)).map(b"\0".join),
)  # fmt: skip
_entries = st.one_of(
    st.builds(Entry, _texts, st.sampled_from((FILE, FILE, FILE, SCRIPT))),
    st.builds(Entry, st.sampled_from((b"a", b"/etc/passwd", b"../x\n", b"\xff")), st.just(LINK)),
    # an id of zeros alone, which stands for "nothing", is one that git's index refuses
    st.builds(Entry, st.binary(min_size=32, max_size=32).filter(any), st.just(SUBMODULE)),
)
_numbers = st.integers(0, 50)
_changes = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _paths, _entries),
        st.tuples(st.just("delete"), _numbers, st.none()),
        st.tuples(st.just("insert"), st.tuples(_numbers, _numbers), st.sampled_from(FRAGMENTS)),
        st.tuples(st.just("cut"), st.tuples(_numbers, _numbers), st.none()),
        st.tuples(st.just("mode"), _numbers, st.sampled_from((FILE, SCRIPT, LINK))),
        st.tuples(st.just("rename"), _numbers, _paths),
        st.tuples(st.just("copy"), _numbers, _paths),
        st.tuples(st.just("swap"), st.tuples(_numbers, _numbers), st.none()),
    ),
    max_size=6,
)


def put(tree: dict[bytes, Entry], path: bytes, entry: Entry) -> None:
    """Puts ``entry`` at ``path``; what can't be there beside it, a file or a folder, goes."""
    parts = path.split(b"/")
    for end in range(1, len(parts)):
        tree.pop(b"/".join(parts[:end]), None)
    for other in [other for other in tree if other.startswith(path + b"/")]:
        del tree[other]
    tree[path] = entry


def _changed(tree: dict[bytes, Entry], changes: list[tuple[str, object, object]]) -> None:
    for change in changes:
        paths = sorted(tree)
        match change:
            case ("put", bytes(path), Entry() as entry):
                put(tree, path, entry)
            case (_, _, _) if not paths:
                pass
            case ("delete", int(which), _):
                del tree[paths[which % len(paths)]]
            case ("insert" | "cut" as what, (int(which), int(at)), (bytes() | None) as fragment):
                path = paths[which % len(paths)]
                entry = tree[path]
                if entry.mode != SUBMODULE:
                    lines = entry.content.splitlines(keepends=True)
                    at %= len(lines) + 1
                    lines[at : at + (what == "cut")] = [] if fragment is None else [fragment]
                    tree[path] = _with(entry, b"".join(lines), entry.mode)
            case ("mode", int(which), str(mode)):
                path = paths[which % len(paths)]
                entry = tree[path]
                if entry.mode != SUBMODULE:
                    tree[path] = _with(entry, entry.content, mode)
            case ("rename" | "copy" as what, int(which), bytes(new)):
                old = paths[which % len(paths)]
                entry = tree[old]
                if what == "rename":
                    del tree[old]
                put(tree, new, entry)
            case ("swap", (int(one), int(other)), _):
                first, second = paths[one % len(paths)], paths[other % len(paths)]
                tree[first], tree[second] = tree[second], tree[first]


def _with(entry: Entry, content: bytes, mode: str) -> Entry:
    if mode == LINK:  # git itself reads a link's content as a text without NUL
        content = content.replace(b"\0", b"")[:200] or b"a"
    return Entry(content, mode)


def _accepted(item: tuple[bytes, Entry]) -> tuple[bytes, Entry]:
    """No link at or below .gitmodules: git's index refuses both (CVE-2018-11235)."""
    path, entry = item
    if entry.mode == LINK and b".gitmodules" in path.split(b"/"):
        return path, Entry(entry.content)
    return item


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Step], int | None, str]:
    """Commits, the number of the base (null: the empty tree), and the kind of object ids."""
    tree: dict[bytes, Entry] = {}
    steps: list[Step] = []
    for number in range(draw(st.integers(2, 5))):
        _changed(tree, draw(_changes))
        if number == 0:
            for path, entry in draw(st.lists(st.tuples(_paths, _entries), max_size=6)):
                put(tree, path, entry)
        parents = None
        if number >= 2 and draw(st.booleans()):
            parents = (number - 1, draw(st.integers(0, number - 2)))
        steps.append(Step(dict(map(_accepted, tree.items())), parents))
    base = draw(st.sampled_from((None, 0, 0, 1)))
    return steps, base, draw(st.sampled_from(("sha1", "sha1", "sha256")))
