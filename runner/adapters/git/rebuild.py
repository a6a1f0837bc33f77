"""A tree, built again from a base tree and a patch, and from nothing else.

In a repository that holds only those objects of the base that the patch starts from, and that
index-pack has hashed: with the head's objects in reach, git takes the result of a binary patch
from there without looking at the patch (``apply_binary`` in git's ``apply.c``).
"""

from collections.abc import Sequence
from pathlib import Path

from runner.adapters.git.ranges import RangeReader, new_repository
from runner.errors import UnavailableError
from runner.model.review import EMPTY_TREE


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
    new_repository(folder, from_tree)
    empty = EMPTY_TREE[len(from_tree)]
    git = reader.git
    if starting_from:
        pack = reader.pack(starting_from, folder / "objects" / "pack")
        pack.with_suffix(".idx").unlink()  # what it says of the pack isn't taken on trust
        git.run("index-pack", str(pack), git_dir=folder)
    entries = b"" if from_tree == empty else reader.listing(from_tree)
    git.run("update-index", "-z", "--index-info", git_dir=folder, input_bytes=entries)
    if patch_file.stat().st_size:
        command = ("apply", "--cached", "--binary", "--whitespace=nowarn", "-p1")
        answer = git.run(*command, "--", str(patch_file), git_dir=folder, ok=(0, 1, 128))
        if answer.exit_code:
            raise ValueError(f"the patch can't be applied: {answer.stderr}")
    try:
        written = git.run("write-tree", "--missing-ok", git_dir=folder)
    except UnavailableError as error:
        raise ValueError(f"the patch leads to no tree: {error}") from error
    return written.stdout.decode().strip()
