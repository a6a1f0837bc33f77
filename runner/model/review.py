"""What is under review: a range of commits, what it changes, and the pieces that are sent.

Standard library only, see ``runner.policy.packets``.
"""

from array import array
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

SIZE_CAP_BYTES = 204_800
PACKET_BYTES = 50_000
MIN_PACKET_BYTES = 50
MAX_PACKET_BYTES = 16 * 1024 * 1024
MAX_PACKETS = 100_000
RANGE, IN_BETWEEN = "range", "intermediate"
"""The names of the two patches of a range."""

EMPTY_TREE = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""The id of the tree without entries, by the length of an object id (gitformat-pack(5))."""


class Sliced(Protocol):
    """Bytes of which a part can be had without having all of them: ``bytes``, or a file."""

    def __getitem__(self, part: slice, /) -> bytes: ...

    def __len__(self) -> int: ...


class Cut(StrEnum):
    """Where a segment begins and ends."""

    FILE = "file"
    """A whole file's section of the patch."""
    HUNKS = "hunks"
    """Whole hunks of one file."""
    PARTIAL_HUNK = "partial-hunk"
    """Part of one hunk; ``part`` of ``parts``."""
    OPAQUE = "opaque"
    """The binary part of a file's section: kept for the proof, not shown to a reviewer."""


@dataclass(frozen=True, slots=True)
class ReviewRange:
    """A transition from one commit to another.

    Attributes:
        base: The commit that was reviewed; null: everything from the empty tree on.
        head: The commit that is to be reviewed.
        base_tree: Tree id of ``base``.
        head_tree: Tree id of ``head``.
    """

    base: str | None
    head: str
    base_tree: str
    head_tree: str

    @property
    def text(self) -> str:
        """Both ends, as they are shown."""
        return f"{self.base or 'the empty tree'}..{self.head}"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of ``git diff-tree --raw``: what happened at one path.

    Attributes:
        path: As git stores it.
        status: ``A`` added, ``D`` deleted, ``M`` modified, ``T`` another type.
        old_mode: Six octal digits; ``000000`` where there was nothing.
        new_mode: Likewise, afterwards.
        old_oid: Object id before; zeros where there was nothing.
        new_oid: Likewise, afterwards.
    """

    path: bytes
    status: str
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str


@dataclass(slots=True)
class Section:
    """The part of a patch that is about one file. A change of type has two.

    Attributes:
        file: Number of its change, from 0.
        offset: Where it begins in the patch, in bytes.
        end: Where it ends.
        hunks: Where each of its hunks begins.
        opaque_from: Where its binary part begins; ``end`` where it has none.
        plain: Whether it holds only printable ASCII, tabs and line feeds, so that what is shown
            is what it holds.
        declared: The sizes that its binary parts name, once they are unpacked.
    """

    file: int
    offset: int
    end: int = 0
    hunks: "array[int]" = field(default_factory=lambda: array("Q"))
    opaque_from: int = -1
    plain: bool = True
    declared: tuple[int, ...] = ()

    @property
    def opaque(self) -> bool:
        """Whether part of it isn't shown."""
        return self.opaque_from < self.end


@dataclass(frozen=True, slots=True)
class Finding:
    """Characters that a reader wouldn't see, or would see in the wrong place.

    Attributes:
        file: Number of the change.
        kind: ``bidi``, ``zero-width``, ``tag``, ``control``, ``lone-cr``, ``invisible``,
            ``invalid-utf8``.
        count: How many.
    """

    file: int
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class ReviewFile:
    """A change as the reviewer is told of it.

    Attributes:
        change: What happened.
        kinds: What makes it more than a change of text: ``symlink``, ``submodule``, ``exec-bit``,
            ``mode``, ``type``, ``binary``, ``attributes``, ``modules``.
        findings: Kind and count of what had to be made visible in it.
        old_size: Of the content before in bytes, where it isn't shown; else null.
        new_size: Likewise, afterwards.
    """

    change: Change
    kinds: tuple[str, ...]
    findings: tuple[tuple[str, int], ...] = ()
    old_size: int | None = None
    new_size: int | None = None


@dataclass(frozen=True, slots=True)
class PatchPart:
    """One of the two patches of a range.

    Attributes:
        name: ``range``, from the base's tree to the head's; or ``intermediate``, from the empty
            tree to one that holds, each named by its id, what only commits in between have.
        from_tree: What it starts from.
        to_tree: What it leads to.
        size: In bytes.
        sha256: Of its bytes.
        files: What it changes, in git's order.
    """

    name: str
    from_tree: str
    to_tree: str
    size: int
    sha256: str
    files: tuple[ReviewFile, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a patch's bytes that goes into one packet.

    Attributes:
        patch: Number of its patch: 0 is the range, 1 what only commits in between have.
        file: Number of the change in that patch.
        offset: Of its first byte in the patch.
        size: In bytes of the patch.
        cut: Where it begins and ends.
        part: Which part of a hunk, from 1; 0 where it isn't one.
        parts: Of how many.
        continued: Whether it begins in the middle of a line.
        packet: Number of its packet, from 0.
    """

    patch: int
    file: int
    offset: int
    size: int
    cut: Cut
    packet: int
    part: int = 0
    parts: int = 0
    continued: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece where it was put.

    Attributes:
        piece: What it is.
        sha256: Of its bytes of the patch.
        stored_in: The file that holds it.
        at: Of its first byte in that file.
        stored_size: How many bytes it has there; more than in the patch where some are shown
            escaped.
    """

    piece: Piece
    sha256: str
    stored_in: str
    at: int
    stored_size: int


@dataclass(frozen=True, slots=True)
class Packet:
    """One file of a size that is read whole.

    Attributes:
        name: ``packet_001.txt`` and so on.
        size: In bytes, everything included.
        sha256: Of its bytes.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` says: all of a range, and where each byte of it is.

    Attributes:
        packet_bytes: No packet is larger.
        commits: How many commits the range has.
        opaque_sha256: Of ``opaque.patch``; null where nothing is opaque.
        warnings: What a person should know before they rely on it.
    """

    range: ReviewRange
    packet_bytes: int
    commits: int
    patches: tuple[PatchPart, ...]
    packets: tuple[Packet, ...]
    segments: tuple[Segment, ...]
    opaque_sha256: str | None
    warnings: tuple[str, ...]
