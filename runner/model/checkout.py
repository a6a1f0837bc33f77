"""The read-only tree of one commit, and what it looked like when it was sealed."""

from pathlib import Path

from runner.model.base import Noun, UtcTime
from runner.model.ids import CommitSha, Sha256


class Checkout(Noun):
    """One sealed entry of the cache, shared by every job on that commit.

    Attributes:
        entry: The entry's folder: ``tree/`` (the files), ``git/`` (the synthetic git
            directory), ``objects`` (a link to the mirror's object store).
        objects: The mirror's object store.
        tree_id: The commit's tree.
        files: How many entries (files, links, folders) the snapshot has.
        snapshot_sha256: Digest of the snapshot taken when the entry was sealed.
        has_githooks: Whether the repository has a ``.githooks`` folder.
    """

    entry: Path
    objects: Path
    sha: CommitSha
    tree_id: CommitSha
    files: int
    snapshot_sha256: Sha256
    has_githooks: bool

    @property
    def tree(self) -> Path:
        """The folder that holds the commit's files."""
        return self.entry / "tree"


class TreeCheck(Noun):
    """What became of a checkout's tree while a job ran on it.

    Attributes:
        method: ``snapshot`` if every entry was looked at again, ``audit-pending`` if only the
            entry's own identity was and the rest is left to the auditor.
        intact: Whether nothing differed.
        changed_files: Paths below the entry that differ, as text safe to show, sorted; at most
            200, and then a last element that says how many more.
        head_moved: Whether ``git/HEAD`` or any other file of the git directory differs.
        snapshot_sha256: Of the snapshot that was, or is still to be, compared with; it tells an
            entry from one that is built anew for the same commit. Empty where nobody said.
    """

    method: str
    intact: bool
    changed_files: tuple[str, ...] = ()
    head_moved: bool = False
    snapshot_sha256: str = ""


class BuiltTree(Noun):
    """What a mirror wrote into a folder: one commit's files, every object's hash compared.

    Attributes:
        files: How many entries (files, links, folders) the commit's tree has.
        has_githooks: Whether the repository has a ``.githooks`` folder.
    """

    sha: CommitSha
    tree_id: CommitSha
    files: int
    has_githooks: bool


class CacheEntry(Noun):
    """A sealed checkout, as eviction looks at it.

    Attributes:
        key: Of the mirror that it came from.
        size_bytes: What its files take on a disk, about.
    """

    key: Sha256
    sha: CommitSha
    files: int
    size_bytes: int
    last_used: UtcTime


class MirrorEntry(Noun):
    """A mirror, as eviction looks at it. ``remote_url`` is canonical, without credentials."""

    key: Sha256
    remote_url: str
    size_bytes: int
    last_used: UtcTime
