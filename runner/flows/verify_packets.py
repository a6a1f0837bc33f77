"""Proves the review packets of a record again, as far as what is at hand allows."""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from runner.adapters.git.mirrors import Mirror
from runner.errors import RunnerError
from runner.flows.claims import check_claim
from runner.model.artifact import Artifact
from runner.model.shown import shown
from runner.model.verification import Check, CheckState
from runner.policy.claims import Finding
from runner.policy.packets.meta import to_json

_NAME = "packets"
_OUTPUTS = "outputs/"
_BY_EXECUTOR = "; that this is all of the range, the executor proved from its mirror"
_MOST_CHARACTERS = 600


def packets_check(
    folder: Path, artifact: Artifact, sizes: Mapping[str, int], mirror: Mirror | None
) -> Check | None:
    """Whether the packets that the record speaks of are whole; null if it speaks of none.

    Args:
        folder: A job's folder, or a copy of one: hostile input.
        artifact: Its record.
        sizes: Of each file in it in bytes, by its path.
        mirror: Of the record's repository. Without it, the packets are held against their own
            manifest, which the record names by its digest.
    """
    if artifact.size_cap_fallback is None:
        return None
    try:
        finding = _examined(folder, artifact, sizes, mirror)
    except (RunnerError, OSError) as error:
        what = f"they couldn't be looked at: {shown(str(error)[:_MOST_CHARACTERS])}"
        return Check(name=_NAME, state=CheckState.UNKNOWN, what=what)
    problems = list(finding.problems)
    if finding.meta is not None:
        claimed = type(artifact.size_cap_fallback).model_validate_json(to_json(finding.meta))
        if claimed != artifact.size_cap_fallback:
            problems.append("size_cap_fallback isn't what the job claimed")
    if problems:
        what = shown("; ".join(problems)[:_MOST_CHARACTERS])
        return Check(name=_NAME, state=CheckState.FAILED, what=what)
    what = finding.proof + (_BY_EXECUTOR if mirror is None else "")
    return Check(name=_NAME, state=CheckState.OK, what=what)


def _examined(
    folder: Path, artifact: Artifact, sizes: Mapping[str, int], mirror: Mirror | None
) -> Finding:
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="aiops-verify-"))
        if mirror is not None:
            stack.enter_context(mirror.hold())
            mirror.ensure_commit(artifact.sha, allowed_branches=("*",), default_branch="main")
        return check_claim(
            folder / "outputs",
            {
                path.removeprefix(_OUTPUTS): size
                for path, size in sizes.items()
                if path.startswith(_OUTPUTS)
            },
            Path(scratch),
            head=artifact.sha,
            since_sha=artifact.params.get("since_sha"),
            mirror=mirror,
        )
