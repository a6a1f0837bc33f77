"""``review_bundle``: what changed since a base, whole, for somebody who reviews it."""

from aiops_wrappers.contract import Job
from aiops_wrappers.output import say
from aiops_wrappers.review.places import failed
from aiops_wrappers.review.reading import read_range
from aiops_wrappers.review.writing import write_ours
from runner.errors import RunnerError
from runner.policy.packets import meta


def run(job: Job) -> int:
    """0 if all of the change is there, be it in packets; 2 unknown base; 3 couldn't be made."""
    try:
        reading = read_range(job)
        say(f"range {reading.base.span.text}; the base is from {reading.base.how}")
        write_ours(job, reading, meta.ARCHIVE_NAME, say)
    except (RunnerError, OSError) as error:
        exit_code = failed(job, error)
        say(f"review_bundle: {error}")
        return exit_code
    return 0
