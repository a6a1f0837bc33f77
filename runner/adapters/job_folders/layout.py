"""What lies in a job's folder under which name, and how it is written there."""

from typing import Final

from runner.model.artifact import Artifact
from runner.model.job import JobPlan

PLAN: Final = "plan.json"
RECORD: Final = "artifact.json"
ENVELOPE: Final = "artifact.dsse.json"
SUMS: Final = "SHA256SUMS"
REVOCATION: Final = "revocation.json"
RESERVE: Final = "reserve"
OUTPUTS: Final = "outputs"


def text_of(noun: JobPlan | Artifact) -> bytes:
    """The bytes that stand for a plan or a record on disk."""
    return noun.model_dump_json(indent=2).encode() + b"\n"


def is_left_over(name: str) -> bool:
    """Whether a file of that name was being written when its writer was killed."""
    return name.startswith(".") and name.endswith(".tmp")


def is_of_the_living(name: str) -> bool:
    """Whether only a running job has files of that name."""
    return name == RESERVE or name.startswith(("stdout.log.", "stderr.log."))
