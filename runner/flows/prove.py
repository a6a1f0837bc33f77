"""Do these packets hold all of a range? From the base tree and the packets alone.

1 the manifest is one, and about this range · 2 git says the same of what is changed ·
3 every segment is there once · 4 each packet's bytes are what the manifest says, and show what
they hold · 5 together they are a patch of exactly those changes · 6 which makes the head's tree
of the base's
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from runner.adapters.git.ranges import RangeReader
from runner.adapters.git.rebuild import check_results, rebuilt_tree
from runner.adapters.spool import Spool
from runner.flows.packet_reading import (
    Assembled,
    IncompleteError,
    assembled,
    none_of,
    opened,
    read_manifest,
)
from runner.flows.range_reading import Contents, range_contents
from runner.model.review import Manifest, ReviewRange
from runner.policy.packets import proof
from runner.policy.packets.frames import Overview
from runner.policy.packets.patch_proof import unlooked_at
from runner.policy.packets.raw_diff import NOTHING, SUBMODULE


@dataclass(frozen=True)
class Proof:
    """What was found out about packets.

    Attributes:
        problems: What is missing, doubled, changed or forged; none: the packets are complete.
        exactly_ours: Whether a reader also sees exactly what this program would have written: the
            frames, and, where git was asked, git's own patch. Another patch can make the same tree
            and say more than git does, behind the ``@@`` of a hunk, for one.
        manifest: What they say they are; null if that can't be read.
        manifest_sha256: Of its bytes.
    """

    problems: tuple[str, ...]
    exactly_ours: bool
    manifest: Manifest | None
    manifest_sha256: str | None

    @property
    def complete(self) -> bool:
        """Whether everything is there, once, unchanged."""
        return not self.problems


def prove(
    folder: Path,
    reader: RangeReader,
    scratch: Path,
    *,
    span: ReviewRange | None = None,
    max_bytes: int | None = None,
) -> Proof:
    """Whether the packets in ``folder``, whoever made them, hold all of a range.

    Args:
        folder: Hostile input.
        reader: Of a repository of ours that has the range.
        scratch: A folder with room for the patches, twice.
        span: The range that it has to be; null: whichever the packets say.
        max_bytes: A range with more can't be in those packets.

    Raises:
        ConfigurationError: ``RANGE_UNKNOWN``, ``BASE_NOT_ANCESTOR``: of the packets' own range.
        RefusedError: ``RANGE_TOO_LARGE``.
        UnavailableError: ``GIT_…``.
        OSError: no room.
    """
    claim: Manifest | None = None
    digest: str | None = None
    exactly_ours = False
    problems: tuple[str, ...] = ()
    try:
        with ExitStack() as stack:
            packets = stack.enter_context(opened(folder))
            # 1 the manifest is one, and about this range
            claim, digest = read_manifest(packets)
            span = span or reader.range(claim.range.base, claim.range.head)
            none_of(proof.of_another_range(claim, span))
            # 2 git says the same of what is changed
            contents = stack.enter_context(
                range_contents(reader, span, scratch, max_bytes=max_bytes)
            )
            none_of(proof.other_changes(claim, contents.overview))
            # 3 to 5 the packets are what the manifest says
            held = stack.enter_context(assembled(packets, claim, contents.overview, scratch))
            # 6 they make the head's tree of the base's
            _rebuild(reader, contents, held, scratch)
            patches = zip(claim.patches, contents.overview.parts, strict=True)
            same_patch = all(patch.sha256 == own.sha256 for patch, own in patches)
            exactly_ours = held.frame_ok and same_patch
    except IncompleteError as error:
        problems = error.problems
    return Proof(problems, exactly_ours, claim, digest)


def examine(folder: Path, scratch: Path) -> Proof:
    """Whether the packets in ``folder`` hold all of what they themselves say: steps 1 and 3 to 5.

    That it is all of a range, and which, only their repository can tell.

    Args:
        folder: Hostile input.
        scratch: A folder with room for the patches.

    Raises:
        OSError: no room.
    """
    claim: Manifest | None = None
    digest: str | None = None
    exactly_ours = False
    problems: tuple[str, ...] = ()
    try:
        with ExitStack() as stack:
            packets = stack.enter_context(opened(folder))
            claim, digest = read_manifest(packets)
            none_of(proof.not_both_patches(claim))
            overview = Overview(claim.range, claim.commits, claim.patches, claim.warnings)
            held = stack.enter_context(assembled(packets, claim, overview, scratch))
            exactly_ours = held.frame_ok
    except IncompleteError as error:
        problems = error.problems
    return Proof(problems, exactly_ours, claim, digest)


def _rebuild(reader: RangeReader, contents: Contents, held: Assembled, scratch: Path) -> None:
    parts = contents.overview.parts
    for part, spool, sections in zip(parts, held.spools, held.sections, strict=True):
        changes = [file.change for file in part.files]
        starting_from = {c.old_oid for c in changes if c.old_mode not in (NOTHING, SUBMODULE)}
        folder = scratch / f"rebuilt-{part.name}"
        try:
            tree = rebuilt_tree(reader, part.from_tree, sorted(starting_from), spool.path, folder)
            if tree != part.to_tree and tree != _as_written_now(reader, part.to_tree, scratch):
                raise IncompleteError(
                    f"the patch {part.name} leads to the tree {tree}, expected {part.to_tree}"
                )
            for number, group in enumerate(unlooked_at(part.files, sections)):
                with Spool(scratch) as alone:
                    for _, section in group:
                        alone.copy(spool, section.offset, section.end)
                    made_of = [change for change, _ in group]
                    place = folder.with_name(f"{folder.name}-{number}")
                    check_results(reader, made_of, alone.path, place)
        except ValueError as error:
            raise IncompleteError(f"the patch {part.name}: {error}") from error


def _as_written_now(reader: RangeReader, tree: str, scratch: Path) -> str:
    """The id of a tree with the same files as ``tree``.

    Another one where an old or odd tool wrote ``tree``: with modes that git reads as others
    (100664, 040000), or with empty folders.
    """
    with Spool(scratch) as nothing:
        return rebuilt_tree(reader, tree, (), nothing.path, scratch / f"again-{tree}")
