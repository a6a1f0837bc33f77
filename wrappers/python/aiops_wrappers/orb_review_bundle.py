"""``orb_review_bundle``: the target's own review bundle, and packets where that is too large.

1 the base · 2 the target's own bundle · 3 over its cap: the target's own packets, if they prove
complete · 4 else ours
"""

import stat
from collections.abc import Callable
from pathlib import Path

from aiops_wrappers.contract import Job
from aiops_wrappers.output import Output, say
from aiops_wrappers.review.adoption import NotAdoptedError, adopt
from aiops_wrappers.review.places import (
    OURS,
    clear,
    failed,
    new_stamp,
    places_of,
    refuse_what_is_there,
    remove,
)
from aiops_wrappers.review.reading import Reading, read_again, read_range
from aiops_wrappers.review.writing import claim, write_ours
from aiops_wrappers.target import command_for, look_at, run_into
from runner.errors import RunnerError
from runner.policy.packets import meta

BUNDLE_SCRIPT = "ops/review_bundle.sh"
PACKETS_SCRIPT = "ops/review_codex.sh"
OUTPUT = "REVIEW_BUNDLE_OUTPUT.txt"
CAP_EXCEEDED = 6


def run(job: Job) -> int:
    """0 if all of the change is there, be it in packets; see the door for the other exit codes."""
    if job.by_hand:
        return _by_hand(job)
    with Output(job.artifacts, OUTPUT) as output:
        try:
            return _review(job, output)
        except (RunnerError, OSError) as error:
            exit_code = failed(job, error)
            output.say(f"orb_review_bundle: {error}")
            return exit_code


def _by_hand(job: Job) -> int:
    """Nothing confines here, so no code of the target is run."""
    try:
        refuse_what_is_there(job)
    except (RunnerError, OSError) as error:
        say(f"orb_review_bundle: {error}")
        return 2
    try:
        reading = _reading(job, say)
        say("FORCE_SIZE_CAP: packets, whatever the size, and none of the target's scripts")
        write_ours(job, reading, meta.ORB_ARCHIVE_NAME, say, force_packets=True)
    except (RunnerError, OSError) as error:
        exit_code = failed(job, error)
        say(f"orb_review_bundle: {error}")
        return exit_code
    return 0


def _review(job: Job, output: Output) -> int:
    # 1 the base
    reading = _reading(job, output.say)
    # 2 the target's own bundle
    script = look_at(job, BUNDLE_SCRIPT)
    if script is None:
        output.say(f"the target has no {BUNDLE_SCRIPT}: what follows is of our making")
        write_ours(job, reading, meta.ORB_ARCHIVE_NAME, output.say)
        return 0
    if script.refused:
        output.say(f"SCRIPT_REFUSED: {script.path} {script.refused}")
        return 1
    bundle = job.artifacts / meta.BUNDLE_NAME
    arguments = ("--since", reading.since, "--output", str(bundle))
    exit_code = run_into(output, command_for(job, script, *arguments), job)
    output.say(f"{script.path} ended with exit code {exit_code}")
    if exit_code == 0:
        return _take_bundle(job, bundle, output)
    if exit_code != CAP_EXCEEDED:
        return exit_code
    _clear(job, (*OURS, meta.TARGET_PACKETS_FOLDER), output)
    # 3 over its cap: the target's own packets, if they prove complete
    if _target_packets_taken(job, reading, output):
        return 0
    # 4 else ours
    kept = (job.artifacts / meta.TARGET_PACKETS_FOLDER).exists()
    output.say("the packets are of our making")
    write_ours(
        job,
        read_again(job, reading),
        meta.ORB_ARCHIVE_NAME,
        output.say,
        force_packets=True,
        target_incomplete=kept,
    )
    return 0


def _reading(job: Job, tell: Callable[[str], None]) -> Reading:
    reading = read_range(job)
    tell(f"range {reading.base.span.text}; the base is from {reading.base.how}")
    return reading


def _take_bundle(job: Job, bundle: Path, output: Output) -> int:
    """Exit code 0 of the script isn't enough: the bundle has to be there."""
    others = tuple(name for name in OURS if name != meta.BUNDLE_NAME)
    _clear(job, (*others, meta.TARGET_PACKETS_FOLDER), output)
    try:
        found = bundle.lstat()
    except FileNotFoundError:
        output.say(f"NO_BUNDLE: {BUNDLE_SCRIPT} made no {bundle.name}")
        return 1
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or not found.st_size:
        output.say(f"NO_BUNDLE: {bundle.name} is empty, or isn't a regular file of its own")
        return 1
    output.say(f"{bundle.name}: {found.st_size} bytes, of the target's making")
    return 0


def _target_packets_taken(job: Job, reading: Reading, output: Output) -> bool:
    """Whether the target made packets that prove complete; they are in their places then."""
    script = look_at(job, PACKETS_SCRIPT)
    if script is None:
        output.say(f"the target has no {PACKETS_SCRIPT}")
        return False
    if script.refused:
        output.say(f"SCRIPT_REFUSED: {script.path} {script.refused}")
        return False
    made = job.artifacts / meta.TARGET_PACKETS_FOLDER
    made.mkdir()
    asked = ("--mode", "FULL", "--since", reading.since)
    argv = command_for(job, script, *asked, "--output-dir", str(made), "--no-codex")
    exit_code = run_into(output, argv, job)
    output.say(f"{script.path} ended with exit code {exit_code}")
    _clear(job, OURS, output)
    if made.is_symlink() or not made.is_dir() or not any(made.iterdir()):
        remove(made)
        output.say(f"{script.path} left nothing in its output folder")
        return False
    try:
        if exit_code:
            raise NotAdoptedError(f"{script.path} failed")
        _adopt(job, read_again(job, reading), made, output)
    except NotAdoptedError as error:
        clear(job)
        output.say(f"{meta.TARGET_PACKETS_INCOMPLETE}: {error}; see {made.name}")
        return False
    return True


def _adopt(job: Job, reading: Reading, made: Path, output: Output) -> None:
    stamp = new_stamp()
    manifest, digest = adopt(job, reading, made, places_of(job, meta.ORB_ARCHIVE_NAME, stamp))
    remove(made)
    claimed = meta.Meta(
        since_sha=reading.since,
        stamp=stamp,
        archive_name=meta.ORB_ARCHIVE_NAME,
        packet_count=len(manifest.packets),
        manifest_sha256=digest,
    )
    claim(job, claimed, "the target's own packets, proven complete", output.say)


def _clear(job: Job, names: tuple[str, ...], output: Output) -> None:
    for name in clear(job, names):
        if name != meta.BUNDLE_NAME:
            output.say(f"the target wrote {name} itself: removed, for it isn't its to write")
