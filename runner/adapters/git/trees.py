"""The tree of a commit as a list, read and verified before anything of it is written."""

from typing import NamedTuple

from runner.adapters.git.objects import ObjectReader
from runner.adapters.git.tree_names import refusal
from runner.errors import IntegrityError, RefusedError
from runner.model.shown import shown

MODE_FOLDER = 0o040000
MODE_LINK = 0o120000
MODE_SUBMODULE = 0o160000
MODE_FILE = 0o100644
MODE_SCRIPT = 0o100755

_PATH_BYTES = 4095  # PATH_MAX without its NUL, limits.h(0p)


class Entry(NamedTuple):
    """A name in a folder; ``mode`` is one of the five above."""

    name: bytes
    mode: int
    oid: str


class Folder(NamedTuple):
    """A folder; ``path`` is relative to the root, which is ``b""``, and has no final slash."""

    path: bytes
    oid: str
    entries: tuple[Entry, ...]

    def path_of(self, entry: Entry) -> bytes:
        """Where ``entry`` stands, from the root."""
        return self.path + b"/" + entry.name if self.path else entry.name


def tree_of(commit: bytes, sha: str) -> str:
    """The tree's id, from a commit's body (its first line, by definition).

    Raises:
        IntegrityError: ``OBJECT_CORRUPT``: it isn't there.
    """
    label, _, oid = commit.partition(b"\n")[0].partition(b" ")
    if label != b"tree" or len(oid) != len(sha):
        raise IntegrityError("OBJECT_CORRUPT", f"the commit {sha} names no tree")
    return oid.decode("ascii", "replace")


def list_tree(reader: ObjectReader, tree_id: str, *, max_entries: int) -> tuple[Folder, ...]:
    """Every folder of the tree, each before the folders in it.

    Raises:
        RefusedError: ``CHECKOUT_REFUSED``: a name, a mode or the number of entries.
        IntegrityError: ``OBJECT_CORRUPT``.
    """
    folders: list[Folder] = []
    level = [(b"", tree_id)]
    count = 0
    while level:
        below: list[tuple[bytes, str]] = []
        found = reader.each([oid for _, oid in level])
        for (path, oid), tree in zip(level, found, strict=True):
            folder = Folder(path, oid, _parse(reader.verified(tree, "tree"), oid, path))
            folders.append(folder)
            count += len(folder.entries)
            # A few kilobytes of trees can name billions of files.
            if count > max_entries:
                raise RefusedError(
                    "CHECKOUT_REFUSED", f"the tree has more than {max_entries} entries"
                )
            below.extend(
                (folder.path_of(entry), entry.oid)
                for entry in folder.entries
                if entry.mode == MODE_FOLDER
            )
        level = below
    return tuple(folders)


def _parse(body: bytes, oid: str, path: bytes) -> tuple[Entry, ...]:
    """The entries of a tree object: octal mode, space, name, NUL, raw id, again and again."""
    size = len(oid) // 2
    entries = []
    at = 0
    while at < len(body):
        end = body.find(b"\0", at)
        mode, space, name = body[at:end].partition(b" ")
        if end < 0 or not space or len(body) < end + 1 + size:
            raise IntegrityError("OBJECT_CORRUPT", f"the tree {oid} is cut short")
        _refuse_name(path, name)
        at = end + 1 + size
        entries.append(Entry(name, _mode(mode, path, name), body[end + 1 : at].hex()))
    return tuple(entries)


def _refuse_name(path: bytes, name: bytes) -> None:
    why = refusal(name)
    if not why and len(path) + 1 + len(name) > _PATH_BYTES:
        why = "is too long"
    if why:
        raise RefusedError(
            "CHECKOUT_REFUSED", f"the entry '{shown(name)}' in '{shown(path)[:200]}' {why}"
        )


def _mode(octal: bytes, path: bytes, name: bytes) -> int:
    """The mode as git's index has it: of a file only the owner's execute bit counts."""
    mode = int(octal, 8) if octal.isdigit() and not octal.strip(b"01234567") else 0
    if mode in (MODE_FOLDER, MODE_LINK, MODE_SUBMODULE):
        return mode
    if mode & 0o170000 == 0o100000:
        return MODE_SCRIPT if mode & 0o100 else MODE_FILE
    raise RefusedError(
        "CHECKOUT_REFUSED", f"'{shown(path + b'/' + name)}' has the mode '{shown(octal)[:20]}'"
    )
