"""What people read beside the packets."""

from runner.model.review import Manifest
from runner.policy.packets.frames import Overview

SIZE_CAP_EXCEEDED = "SIZE_CAP_EXCEEDED"


def over_cap(overview: Overview, size_bytes: int, cap_bytes: int) -> bytes:
    """What stands in ``REVIEW_BUNDLE.txt`` where the bundle would have been too large."""
    because = (
        f"The bundle would have {size_bytes} bytes or more, and {cap_bytes} are allowed."
        if size_bytes > cap_bytes
        else "Packets were asked for."
    )
    return (
        f"{SIZE_CAP_EXCEEDED}\n\n{because}\n"
        "All of the change is in the review packets instead; see README_REVIEW_PACKETS.txt.\n\n"
        f"range: {overview.range.text}\nchanged files:\n{overview.listing}"
    ).encode()


def readme(manifest: Manifest, manifest_sha256: str) -> bytes:
    """``README_REVIEW_PACKETS.txt``."""
    files = sum(len(part.files) for part in manifest.patches)
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
        f"{files} changed files in {len(manifest.packets)} packets of at most"
        f" {manifest.packet_bytes} bytes.\n"
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
