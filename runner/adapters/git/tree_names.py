"""Which names of a tree must never become names on a disk.

The same rules as git's own ``verify_path`` with ``core.protectHFS`` and ``core.protectNTFS``
(git-config(1)), on every file system: what is harmless here may be carried to another machine.
"""

_IGNORED_BY_HFS = dict.fromkeys(
    (*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF)
)


def refusal(name: bytes) -> str:
    """Why an entry of a tree can't be called ``name``; empty if it can."""
    if name in (b"", b".", b".."):
        return "names no file"
    if b"/" in name or b"\0" in name:
        return "holds a separator"
    if name.isascii() and b"git" not in name.lower():
        return ""
    if any(_is_git_directory(part) for part in name.split(b"\\")):
        return "would be a git directory"
    return ""


def _is_git_directory(name: bytes) -> bool:
    text = name.decode("utf-8", "replace").translate(_IGNORED_BY_HFS).lower()
    stream_owner = text.split(":")[0]  # NTFS: "name:stream:type" is in the file "name"
    return stream_owner.rstrip(" .") in (".git", "git~1")
