"""``orb_score_run``: what does the target's own score harness say?"""

from aiops_wrappers.contract import Job
from aiops_wrappers.output import Output
from aiops_wrappers.target import command_for, first_of, run_into

CANDIDATES = (
    "research/score_harness.sh",
    "research/score_harness.py",
    "ops/score_run.sh",
    "ops/score_harness.sh",
)


def run(job: Job) -> int:
    """The exit code of the target's harness; 1 where there is none that can be run.

    The harness finds the day in ``LOGS_DAY`` and the run in ``RUN_ID`` if they were given.
    """
    with Output(job.artifacts, "SCORE_OUTPUT.txt") as output:
        script = first_of(job, CANDIDATES)
        if script is None:
            output.say("HARNESS_NOT_FOUND: the target has no score harness")
            output.say(f"searched, in this order: {', '.join(CANDIDATES)}")
            return 1
        if script.refused:
            output.say(f"SCRIPT_REFUSED: {script.path} {script.refused}")
            return 1
        day, run_id = (job.param(name, "not given") for name in ("logs_day", "run_id"))
        output.say(f"orb_score_run: {script.path} at {job.sha}")
        output.say(f"orb_score_run: logs_day {day}, run_id {run_id}")
        exit_code = run_into(output, command_for(job, script), job)
        output.say(f"orb_score_run: {script.path} ended with exit code {exit_code}")
        return exit_code
