"""What people read beside the packets."""

import re

from runner.model.review import RANGE, Manifest, ReviewRange
from runner.policy.packets.frames import Overview

SIZE_CAP_EXCEEDED = "SIZE_CAP_EXCEEDED"

_INSTEAD = "All of the change is in the review packets instead; see README_REVIEW_PACKETS.txt.\n\n"
_BECAUSE = re.compile(
    r"(?:The bundle would have [0-9]{1,20} bytes or more, and [0-9]{1,20} are allowed\."
    r"|Packets were asked for\.)\n\Z",
    re.ASCII,
)


def over_cap(overview: Overview, size_bytes: int, cap_bytes: int) -> bytes:
    """What stands in ``REVIEW_BUNDLE.txt`` where the bundle would have been too large."""
    because = (
        f"The bundle would have {size_bytes} bytes or more, and {cap_bytes} are allowed."
        if size_bytes > cap_bytes
        else "Packets were asked for."
    )
    return (
        f"{SIZE_CAP_EXCEEDED}\n\n{because}\n{_INSTEAD}"
        f"range: {overview.range.text}\nchanged files:\n{overview.listing}"
    ).encode()


def says_over_cap(notice: bytes, span: ReviewRange, listing: bytes) -> bool:
    """Whether ``notice`` is what ``over_cap`` writes, whichever sizes it names.

    Args:
        notice: What somebody left in place of a bundle.
        span: The range that it has to be of.
        listing: ``CHANGED_FILES.txt`` of that range.
    """
    rest = f"{_INSTEAD}range: {span.text}\nchanged files:\n".encode() + listing
    first = f"{SIZE_CAP_EXCEEDED}\n\n".encode()
    if not notice.startswith(first) or not notice.endswith(rest):
        return False
    because = notice[len(first) : len(notice) - len(rest)]
    return because.isascii() and _BECAUSE.match(because.decode()) is not None


def readme(manifest: Manifest, manifest_sha256: str) -> bytes:
    """``README_REVIEW_PACKETS.txt``."""
    changed, between = (
        sum(len(part.files) for part in manifest.patches if (part.name == RANGE) is wanted)
        for wanted in (True, False)
    )
    more = f", and {between} contents that only commits in between have" if between else ""
    opaque = [
        file.change.path
        for part in manifest.patches
        for file in part.files
        if file.old_size is not None or file.new_size is not None
    ]
    unseen = (
        f"{len(opaque)} of them are binary: opaque.patch holds what no packet shows, and a person\n"
        "has to look at those.\n"
        if opaque
        else ""
    )
    found = sum(count for p in manifest.patches for f in p.files for _, count in f.findings)
    hidden = (
        f"{found} characters that can't be seen, or that change the order of what is seen, are\n"
        "written as ⟦U+202E⟧ or ⟦1B⟧; CHANGED_FILES.txt says in which files.\n"
        if found
        else ""
    )
    return (
        "Review packets\n\n"
        f"range: {manifest.range.text}\n"
        f"changed files: {changed}{more}\n"
        f"packets: {len(manifest.packets)}, of at most {manifest.packet_bytes} bytes\n"
        f"{unseen}{hidden}\n"
        "packet_*.txt       the change, cut between files, then between hunks, and inside a hunk\n"
        "                   only where the packet says so (partial-hunk k of n)\n"
        "manifest.json      which bytes of the change are where, with a digest of each\n"
        f"                   sha256 {manifest_sha256}\n"
        "CHANGED_FILES.txt  what is changed, and how\n"
        "HOW_TO_PASTE.txt   how to have them reviewed by hand\n\n"
        "Nothing is left out, and that can be proven: from the base and these files alone the\n"
        "head's tree comes out, bit for bit.\n\n"
        "    runner review verify FOLDER --repo REPOSITORY\n"
    ).encode()
