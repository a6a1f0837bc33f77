"""All of a range, read once: its changes, its patches, and what in them a reader couldn't see.

Building packets and proving them begin with this; neither believes what the other has read.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from runner.adapters.git.ranges import RangeReader
from runner.adapters.spool import Spool
from runner.errors import BugError, RefusedError
from runner.model.review import (
    IN_BETWEEN,
    RANGE,
    Change,
    PatchPart,
    ReviewFile,
    ReviewRange,
    Section,
)
from runner.policy.packets.cutting import stretches
from runner.policy.packets.frames import Overview
from runner.policy.packets.patch_walk import PatchWalk
from runner.policy.packets.raw_diff import headers_of, kinds_of, parse_raw, reading_order
from runner.policy.packets.visible import hidden_in


@dataclass(frozen=True)
class Contents:
    """What a range holds.

    Attributes:
        overview: What every packet says of it.
        patches: The bytes of each part, and its sections in the order of reading.
    """

    overview: Overview
    patches: tuple[tuple[Spool, tuple[Section, ...]], ...]


@contextlib.contextmanager
def range_contents(
    reader: RangeReader, span: ReviewRange, scratch: Path, *, max_bytes: int | None = None
) -> Iterator[Contents]:
    """Both patches of ``span``; they are gone when the block ends.

    Args:
        reader: Of its repository.
        span: The range.
        scratch: A folder with room for the patches.
        max_bytes: With more in both patches together, reading stops.

    Raises:
        RefusedError: ``RANGE_TOO_LARGE``.
        UnavailableError: ``GIT_…``.
        OSError: no room.
    """
    between = reader.tree_holding(reader.only_in_between(span))
    trees = (
        (RANGE, span.base_tree, span.head_tree),
        (IN_BETWEEN, reader.empty_tree, between),
    )
    with contextlib.ExitStack() as stack:
        parts: list[PatchPart] = []
        patches: list[tuple[Spool, tuple[Section, ...]]] = []
        left = max_bytes
        for name, from_tree, to_tree in trees:
            spool = stack.enter_context(Spool(scratch))
            changes, sections, digest = _read(reader, from_tree, to_tree, spool, left)
            left = None if left is None else left - len(spool)
            files = _files(reader, changes, sections, spool)
            parts.append(PatchPart(name, from_tree, to_tree, len(spool), digest, files))
            order = reading_order(sections, [file.kinds for file in files])
            patches.append((spool, tuple(order)))
        overview = Overview(span, reader.commits(span), tuple(parts))
        yield Contents(overview, tuple(patches))


def walked(changes: tuple[Change, ...], blocks: Iterator[bytes]) -> list[Section]:
    """The sections of the patch that ``blocks`` are, which must be about exactly ``changes``.

    Raises:
        ValueError: it isn't such a patch.
    """
    walk = PatchWalk([(n, line) for n, change in enumerate(changes) for line in headers_of(change)])
    for block in blocks:
        walk.feed(block)
    walk.finish()
    return walk.sections


def _read(
    reader: RangeReader, from_tree: str, to_tree: str, spool: Spool, max_bytes: int | None
) -> tuple[tuple[Change, ...], list[Section], str]:
    """The changes, the sections of their patch, and its sha256; the patch goes to ``spool``.

    All in the time that git takes to write it, for that is what another core does meanwhile.
    """
    digest = sha256()

    def kept(blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            spool.write(block)
            digest.update(block)
            if max_bytes is not None and len(spool) > max_bytes:
                raise RefusedError("RANGE_TOO_LARGE", f"the patch has more than {max_bytes} bytes")
            yield block

    try:
        changes = parse_raw(reader.raw(from_tree, to_tree))
        with reader.patch(from_tree, to_tree) as blocks:
            sections = walked(changes, kept(blocks))
    except ValueError as error:
        raise BugError("PATCH_UNREADABLE", f"what git says of the range: {error}") from error
    return changes, sections, digest.hexdigest()


def _files(
    reader: RangeReader, changes: tuple[Change, ...], sections: list[Section], spool: Spool
) -> tuple[ReviewFile, ...]:
    opaque = {section.file for section in sections if section.opaque}
    findings: dict[int, Counter[str]] = {}
    for section in sections:
        if not section.plain:
            found = findings.setdefault(section.file, Counter())
            for run in stretches(spool, section.offset, section.opaque_from):
                found += hidden_in(run)
    ids = [oid for n in opaque for oid in (changes[n].old_oid, changes[n].new_oid)]
    sizes = reader.sizes([oid for oid in ids if oid.strip("0")])
    return tuple(
        ReviewFile(
            change=change,
            kinds=kinds_of(change, opaque=number in opaque),
            findings=tuple(sorted(findings.get(number, Counter()).items())),
            old_size=sizes.get(change.old_oid, 0) if number in opaque else None,
            new_size=sizes.get(change.new_oid, 0) if number in opaque else None,
        )
        for number, change in enumerate(changes)
    )
