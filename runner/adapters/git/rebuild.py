"""A tree, built again from a base tree and a patch, and from nothing else.

In a repository that holds only those objects of the base that the patch starts from, and that
index-pack has hashed: with the head's objects in reach, git takes the result of a binary patch
from there without looking at the patch (``apply_binary`` in git's ``apply.c``). What the base has
as well (a binary that was moved) it takes from there all the same: ``check_results`` looks at those.
"""

from collections.abc import Sequence
from pathlib import Path

from runner.adapters.git.ranges import RangeReader, new_repository
from runner.errors import UnavailableError
from runner.model.review import Change

_NOTHING = "000000"
# nothing is ever written under these names, so none has to be refused for what a disk makes of it
_ANY_NAME = ("-c", "core.protectNTFS=false", "-c", "core.protectHFS=false")


def rebuilt_tree(
    reader: RangeReader,
    from_tree: str,
    starting_from: Sequence[str],
    patch_file: Path,
    folder: Path,
) -> str:
    """The id of the tree that ``patch_file`` makes of ``from_tree``.

    Args:
        reader: Of the repository that has ``from_tree``.
        from_tree: Tree id.
        starting_from: The blobs that the patch changes or removes.
        patch_file: As ``git diff --binary`` writes it, with full ids; may be empty.
        folder: Doesn't exist; becomes a bare repository.

    Raises:
        ValueError: the patch can't be applied to that tree.
        UnavailableError: ``GIT_…``.
    """
    entries = b"" if from_tree == reader.empty_tree else reader.listing(from_tree)
    _apply(reader, entries, starting_from, patch_file, folder)
    try:
        written = reader.git.run("write-tree", "--missing-ok", git_dir=folder)
    except UnavailableError as error:
        raise ValueError(f"the patch leads to no tree: {error}") from error
    return written.stdout.decode().strip()


def check_results(
    reader: RangeReader, changes: Sequence[Change], patch_file: Path, folder: Path
) -> None:
    """Whether the binary patches in ``patch_file`` make of ``changes`` what they say they do.

    Args:
        reader: Of the repository that has their old contents.
        changes: No new content of theirs is an old content of another.
        patch_file: Of exactly those changes.
        folder: Doesn't exist; becomes a bare repository.

    Raises:
        ValueError: they make something else of them.
        UnavailableError: ``GIT_…``.
    """
    old = [change for change in changes if change.old_mode != _NOTHING]
    entries = b"".join(
        b"%b %b\t%b\0" % (change.old_mode.encode(), change.old_oid.encode(), change.path)
        for change in old
    )
    _apply(reader, entries, sorted({change.old_oid for change in old}), patch_file, folder)


def _apply(
    reader: RangeReader, entries: bytes, blobs: Sequence[str], patch_file: Path, folder: Path
) -> None:
    new_repository(folder, reader.empty_tree)
    git = reader.git
    if blobs:
        pack = reader.pack(blobs, folder / "objects" / "pack")
        git.run("index-pack", str(pack), git_dir=folder)
    git.run(*_ANY_NAME, "update-index", "-z", "--index-info", git_dir=folder, input_bytes=entries)
    if patch_file.stat().st_size:
        command = (*_ANY_NAME, "apply", "--cached", "--binary", "--whitespace=nowarn", "-p1")
        answer = git.run(*command, "--", str(patch_file), git_dir=folder, ok=(0, 1, 128))
        if answer.exit_code:
            raise ValueError(f"the patch can't be applied: {answer.stderr}")
