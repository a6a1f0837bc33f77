"""What was proven about packets, and what wasn't, as a person and as a program reads it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.flows.prove import Proof
from runner.flows.review import BundleCheck
from runner.model.shown import shown

_FRAME = (
    "they, or the texts or the archive beside them, aren't exactly what this program makes of the"
    " range: read what stands around the data before anybody follows it"
)


@dataclass(frozen=True)
class Told:
    """An answer in both forms.

    Attributes:
        holds: Whether everything is there.
    """

    holds: bool
    text: str
    document: dict[str, Any]


def checked_packets(folder: Path, proof: Proof) -> Told:
    """The answer about packets."""
    claim = proof.manifest
    warnings = [] if proof.exactly_ours or not proof.complete else [_FRAME]
    lines = [str(folder)]
    if claim is not None:
        lines.append(f"range     {claim.range.text}")
        if proof.complete:
            files = sum(len(patch.files) for patch in claim.patches)
            size = sum(patch.size for patch in claim.patches)
            opaque = sum("binary" in f.kinds for patch in claim.patches for f in patch.files)
            lines += [
                f"changes   {files} files, {claim.commits} commits: as git lists them",
                f"bytes     {size} in {len(claim.segments)} segments: each there once, unchanged",
                f"packets   {len(claim.packets)}, none over {claim.packet_bytes} bytes",
                f"trees     {claim.range.base_tree} → {claim.range.head_tree}, from packets alone",
            ]
            if opaque:
                lines.append(
                    f"unseen    {opaque} binary: complete in opaque.patch, and shown to no reader"
                )
        lines.append(f"manifest  sha256 {proof.manifest_sha256}")
    lines += [f"warning   {warning}" for warning in warnings]
    lines += [f"problem   {problem}" for problem in proof.problems]
    lines.append("complete" if proof.complete else "NOT COMPLETE")
    return Told(
        proof.complete,
        "\n".join(map(shown, lines)),
        {
            "path": str(folder),
            "complete": proof.complete,
            "exactly_ours": proof.exactly_ours,
            "base": None if claim is None else claim.range.base,
            "head": None if claim is None else claim.range.head,
            "packet_count": 0 if claim is None else len(claim.packets),
            "manifest_sha256": proof.manifest_sha256,
            "warnings": warnings,
            "problems": list(proof.problems),
        },
    )


def checked_bundle(file: Path, check: BundleCheck) -> Told:
    """The answer about a bundle."""
    ends, same = check.ends, check.same
    problems = [] if same else ["it isn't what is made of that range, byte for byte"]
    lines = [str(file), f"range     {ends.base or 'the empty tree'}..{ends.head}"]
    if same and check.unseen:
        lines.append(f"unseen    {check.unseen} binary: named in it, and shown to no reader")
    lines += [f"problem   {problem}" for problem in problems]
    lines.append("complete: made again, and the same" if same else "NOT COMPLETE")
    return Told(
        same,
        "\n".join(map(shown, lines)),
        {
            "path": str(file),
            "complete": same,
            "exactly_ours": same,
            "base": ends.base,
            "head": ends.head,
            "packet_count": 0,
            "manifest_sha256": None,
            "warnings": [],
            "problems": problems,
        },
    )
