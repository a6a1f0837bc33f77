"""Whether what a record says of a size cap can be true.

Each rule yields what is wrong, in words.
"""

from collections.abc import Iterator

from runner.model.artifact import Artifact, SizeCapFallback
from runner.model.job import Status, Warn
from runner.model.shown import shown
from runner.policy.packets import manifest as manifests
from runner.policy.packets import meta as metas

_OUTPUTS = "outputs"
_WARNINGS = (Warn.SIZE_CAP_EXCEEDED, Warn.TARGET_PACKETS_INCOMPLETE)


def size_cap_contradictions(artifact: Artifact) -> Iterator[str]:
    """What can't all be true of a bundle that became packets, or didn't."""
    fallback = artifact.size_cap_fallback
    told = {
        "size_cap_exceeded": artifact.size_cap_exceeded,
        "review_packets_archive": artifact.review_packets_archive is not None,
        "review_packets_dir": artifact.review_packets_dir is not None,
        "size_cap_fallback": fallback is not None,
        f"the warning {Warn.SIZE_CAP_EXCEEDED}": Warn.SIZE_CAP_EXCEEDED in artifact.warnings,
    }
    if len(set(told.values())) > 1:
        without = ", ".join(name for name, there in told.items() if not there)
        yield f"a size cap was exceeded, and yet without {without}"
    if any(told.values()) and artifact.status is not Status.SUCCESS:
        yield f"{artifact.status}, and yet packets were accepted"
    digests = {output.path: output.sha256 for output in artifact.outputs}
    if fallback is not None:
        yield from _fallback_contradictions(artifact, fallback, digests)
    elif artifact.status is Status.SUCCESS and f"{_OUTPUTS}/{metas.NAME}" in digests:
        yield f"success with {metas.NAME} among the outputs, and nothing came of it"


def _fallback_contradictions(
    artifact: Artifact, fallback: SizeCapFallback, digests: dict[str, str]
) -> Iterator[str]:
    try:
        metas.from_json(fallback.model_dump_json().encode())
    except ValueError as error:
        yield f"size_cap_fallback: {shown(str(error)[:300])}"
        return
    archive = f"{_OUTPUTS}/{fallback.review_packets_archive}"
    folder = f"{_OUTPUTS}/{fallback.review_packets_dir}"
    if (artifact.review_packets_archive, artifact.review_packets_dir) != (archive, folder):
        yield "the packets' paths aren't those of size_cap_fallback"
    warned = {warning for warning in _WARNINGS if warning in artifact.warnings}
    if warned != set(fallback.warnings):
        yield "the warnings aren't those of size_cap_fallback"
    asked = artifact.params.get("since_sha")
    if asked and asked != fallback.since_sha:
        yield "the packets are of another range than was asked for"
    named = (metas.NAME, metas.BUNDLE_NAME, metas.README_NAME)
    for path in (archive, *(f"{_OUTPUTS}/{name}" for name in named)):
        if path not in digests:
            yield f"{path} isn't among the outputs"
    if digests.get(f"{folder}/{manifests.NAME}") != fallback.manifest_sha256:
        yield f"manifest_sha256 isn't that of the output {manifests.NAME}"
    packets = [path for path in digests if path.startswith(f"{folder}/packet_")]
    if len(packets) != fallback.packet_count:
        yield f"got {len(packets)} packets among the outputs, expected {fallback.packet_count}"
