"""What a record says of a size cap is true as a whole, or it contradicts itself."""

from pathlib import Path

import pytest

from runner.model.artifact import Artifact, OutputFile, SizeCapFallback
from runner.model.job import Status
from runner.policy.claims import is_claimed
from runner.policy.packets import meta as metas
from runner.policy.packets.meta import Meta
from runner.policy.size_cap_rules import size_cap_contradictions
from tests.support import records

META = Meta("a" * 40, "20260102T030405Z", metas.ORB_ARCHIVE_NAME, 2, records.HASH)
FALLBACK = SizeCapFallback.model_validate_json(metas.to_json(META))
FOLDER = f"outputs/{META.packets_dir}"


def _output(path: str) -> OutputFile:
    return OutputFile(path=path, size_bytes=1, sha256=records.HASH, media_type="text/plain")


OUTPUTS = tuple(
    _output(path)
    for path in (
        f"outputs/{metas.ORB_ARCHIVE_NAME}",
        "outputs/README_REVIEW_PACKETS.txt",
        "outputs/REVIEW_BUNDLE.txt",
        f"{FOLDER}/manifest.json",
        f"{FOLDER}/packet_001.txt",
        f"{FOLDER}/packet_002.txt",
        "outputs/size_cap_meta.json",
    )
)


@pytest.fixture
def plain(tmp_path: Path) -> Artifact:
    return records.artifact(records.accept(tmp_path))


@pytest.fixture
def exceeded(plain: Artifact) -> Artifact:
    """The record of a job whose bundle became packets."""
    return plain.model_copy(
        update={
            "size_cap_exceeded": True,
            "review_packets_archive": f"outputs/{metas.ORB_ARCHIVE_NAME}",
            "review_packets_dir": FOLDER,
            "size_cap_fallback": FALLBACK,
            "warnings": ("SIZE_CAP_EXCEEDED",),
            "outputs": OUTPUTS,
        }
    )


def test_honest_records_have_no_contradictions(plain: Artifact, exceeded: Artifact) -> None:
    assert list(size_cap_contradictions(plain)) == []
    assert list(size_cap_contradictions(exceeded)) == []


def test_a_failed_job_may_have_left_a_claim(plain: Artifact) -> None:
    left = plain.model_copy(
        update={"outputs": OUTPUTS, "status": Status.FAILURE, "reason": "EXIT_CODE", "exit_code": 1}
    )
    assert list(size_cap_contradictions(left)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"size_cap_exceeded": False},
        {"review_packets_archive": None},
        {"review_packets_dir": None},
        {"size_cap_fallback": None},
        {"warnings": ()},
        {"warnings": ("SIZE_CAP_EXCEEDED", "TARGET_PACKETS_INCOMPLETE")},
        {"status": Status.FAILURE, "reason": "SIZE_CAP_CLAIM_INVALID"},
        {"status": Status.ERROR, "reason": "DISK_FULL"},
        {"review_packets_archive": "outputs/REVIEW_PACKETS.tar.gz"},
        {"review_packets_archive": metas.ORB_ARCHIVE_NAME},
        {"review_packets_dir": "outputs/review_packets/20200101T000000Z"},
        {"size_cap_fallback": FALLBACK.model_copy(update={"packet_count": 3})},
        {"size_cap_fallback": FALLBACK.model_copy(update={"manifest_sha256": "0" * 64})},
        {"size_cap_fallback": FALLBACK.model_copy(update={"archive_path": "../plan.json"})},
        {"size_cap_fallback": FALLBACK.model_copy(update={"warnings": ()})},
        {"params": {"since_sha": "b" * 40}},
        *({"outputs": OUTPUTS[:n] + OUTPUTS[n + 1 :]} for n in range(len(OUTPUTS))),
    ],
    ids=str,
)
def test_each_contradiction_is_found(exceeded: Artifact, change: dict[str, object]) -> None:
    assert list(size_cap_contradictions(exceeded.model_copy(update=change)))


def test_a_success_with_a_claim_that_nobody_settled_is_found(plain: Artifact) -> None:
    unsettled = plain.model_copy(update={"outputs": OUTPUTS})
    assert list(size_cap_contradictions(unsettled))


@pytest.mark.parametrize(
    ("outputs", "refused", "claimed"),
    [
        (["size_cap_meta.json"], [], True),
        (["size_cap_meta.json/a"], [], True),
        ([], ["size_cap_meta.json"], True),
        (["a/size_cap_meta.json", "size_cap_meta.json.txt", "x"], ["y"], False),
        ([], [], False),
    ],
)
def test_whatever_has_the_name_of_the_meta_is_a_claim(
    outputs: list[str], refused: list[str], claimed: bool
) -> None:
    assert is_claimed(outputs, refused) is claimed
