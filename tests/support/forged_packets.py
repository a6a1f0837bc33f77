"""Packets that somebody forged with care: every digest in them is right.

They are written by the program's own writer, of another patch, of other pieces, or with another
manifest than it would have made itself.
"""

import base64
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from runner.adapters.packet_files import put
from runner.adapters.spool import Spool
from runner.flows.packet_writing import write_packets
from runner.flows.range_reading import Contents, range_contents, walked
from runner.model.review import Manifest, Piece, Section
from runner.policy.packets import manifest as manifests
from runner.policy.packets.cutting import lay_out
from runner.policy.packets.frames import Frame, changed_files
from tests.support.review_histories import Reviewed

Pieces = tuple[Piece, ...]


def forged(
    made: Reviewed,
    *,
    patch: Callable[[bytes], bytes] = lambda data: data,
    pieces: Callable[[Pieces], Iterable[Piece]] = lambda pieces: pieces,
    manifest: Callable[[Manifest], Manifest] = lambda manifest: manifest,
    packet_bytes: int = 50_000,
) -> Path:
    """A folder of packets of the range, of which something was changed before they were written.

    Args:
        made: The repository and its range.
        patch: What is made of the patch from base to head.
        pieces: What is made of its pieces.
        manifest: What is made of the manifest, after the packets were written.
        packet_bytes: The cap of a packet.
    """
    folder, scratch = made.fresh("forged"), made.fresh("scratch")
    with range_contents(made.reader, made.span, scratch) as true, Spool(scratch) as spool:
        whole, _ = true.patches[0]
        spool.write(patch(whole[0 : len(whole)]))
        first, *others = true.overview.parts
        part = replace(first, size=len(spool), sha256=spool.sha256())
        changes = tuple(file.change for file in part.files)
        try:
            sections = tuple(walked(changes, spool.blocks()))
        except ValueError:  # the writer doesn't mind
            end = len(spool)
            sections = (Section(file=0, offset=0, end=end, opaque_from=end, plain=False),)
        overview = replace(true.overview, parts=(part, *others))
        contents = Contents(overview, ((spool, sections), *true.patches[1:]))
        frame = Frame.for_packets_of(overview, packet_bytes)
        room = packet_bytes - frame.fixed_size
        cut = tuple(pieces(lay_out(contents.patches, room, frame.cost)))
        document = write_packets(contents, cut, frame, packet_bytes, folder, None)
        put(folder, "CHANGED_FILES.txt", changed_files(true.overview))
        put(folder, manifests.NAME, manifests.to_json(manifest(document)))
    return folder


def literal(content: bytes, kind: str = "literal") -> bytes:
    """``content`` (or a delta) as one half of a binary patch, as git's ``diff.c`` writes it."""
    packed = zlib.compress(content)
    lines = []
    for start in range(0, len(packed), 52):
        run = packed[start : start + 52]
        sign = chr(64 + len(run)) if len(run) <= 26 else chr(70 + len(run))
        lines.append(sign.encode() + base64.b85encode(run, pad=True) + b"\n")
    return b"%b %d\n%b\n" % (kind.encode(), len(content), b"".join(lines))


def delta(old_size: int, new_size: int) -> bytes:
    """A delta that says those sizes and then copies 65,536 bytes once: git's ``patch-delta.c``."""
    return _number(old_size) + _number(new_size) + b"\x80"


def _number(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes((low | 0x80,)) + _number(high) if high else bytes((low,))


def binary(new: bytes, old: bytes) -> bytes:
    """A binary patch that makes ``new`` of ``old``."""
    return b"GIT binary patch\n" + literal(new) + literal(old)
