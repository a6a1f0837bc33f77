"""An index in git's own form, so that ``git status`` in a checkout is clean and fast.

Source: gitformat-index(5), version 2, with the *Cache tree* extension.
"""

import hashlib
import os
import struct
from collections.abc import Iterable, Mapping, Sequence

from runner.adapters.git.config import object_format_of
from runner.adapters.git.trees import MODE_FOLDER, Folder

_STAT = struct.Struct(">10I")
_FLAGS = struct.Struct(">H")
_HEADER = struct.Struct(">4sII")
_NAME_LENGTH = 0x0FFF
_WORD = 0xFFFFFFFF
_SECOND = 1_000_000_000


def index_entry(path: bytes, mode: int, oid: str, stat: os.stat_result) -> bytes:
    """One entry, with what ``lstat`` says about the file at ``path``."""
    head = _STAT.pack(
        stat.st_ctime_ns // _SECOND & _WORD,
        stat.st_ctime_ns % _SECOND,
        stat.st_mtime_ns // _SECOND & _WORD,
        stat.st_mtime_ns % _SECOND,
        stat.st_dev & _WORD,
        stat.st_ino & _WORD,
        mode,
        stat.st_uid,
        stat.st_gid,
        stat.st_size & _WORD,
    )
    flags = _FLAGS.pack(min(len(path), _NAME_LENGTH))
    entry = b"".join((head, bytes.fromhex(oid), flags, path))
    return entry + b"\0" * (8 - len(entry) % 8)


def index_file(entries: Mapping[bytes, bytes], folders: Sequence[Folder]) -> bytes:
    """The whole index.

    Args:
        entries: Path → ``index_entry`` of every file, link and submodule.
        folders: Every folder, each before those in it, the root first.
    """
    tree = _cache_tree(folders)
    content = b"".join(
        (
            _HEADER.pack(b"DIRC", 2, len(entries)),
            *(entries[path] for path in sorted(entries)),
            b"TREE",
            struct.pack(">I", len(tree)),
            tree,
        )
    )
    return content + hashlib.new(object_format_of(folders[0].oid), content).digest()


def _cache_tree(folders: Iterable[Folder]) -> bytes:
    """The extension that spares ``git status`` from reading the trees: folder → its tree's id."""
    by_path = {folder.path: folder for folder in folders}
    counts: dict[bytes, int] = {}
    for path, folder in reversed(by_path.items()):
        counts[path] = sum(
            counts[folder.path_of(entry)] if entry.mode == MODE_FOLDER else 1
            for entry in folder.entries
        )
    lines: list[bytes] = []
    waiting = [(b"", b"")]
    while waiting:
        name, path = waiting.pop()
        folder = by_path[path]
        below = [
            (entry.name, folder.path_of(entry))
            for entry in folder.entries
            if entry.mode == MODE_FOLDER
        ]
        lines.append(b"%s\0%d %d\n%s" % (name, counts[path], len(below), bytes.fromhex(folder.oid)))
        waiting.extend(reversed(below))
    return b"".join(lines)
