"""``orb_review_auto_nopush``: does the target's review flow work, without reviewer and push?"""

from aiops_wrappers.contract import Job
from aiops_wrappers.output import Output
from aiops_wrappers.target import command_for, look_at, run_into

SCRIPT = "ops/review_auto.sh"
BANNER = "SIMULATED: CODEX_SKIP=1, nobody reviewed anything; this is no verdict and opens no gate"


def run(job: Job) -> int:
    """The exit code of the target's review flow; 1 where it has none that can be run."""
    with Output(job.artifacts, "REVIEW_AUTO_OUTPUT.txt") as output:
        output.say(BANNER)
        script = look_at(job, SCRIPT)
        if script is None:
            output.say(f"SCRIPT_NOT_FOUND: the target has no {SCRIPT}")
            return 1
        if script.refused:
            output.say(f"SCRIPT_REFUSED: {script.path} {script.refused}")
            return 1
        output.say(f"orb_review_auto_nopush: {SCRIPT} --no-push at {job.sha}")
        argv = command_for(job, script, "--no-push")
        exit_code = run_into(output, argv, job, extra_env={"CODEX_SKIP": "1"})
        output.say(f"orb_review_auto_nopush: {SCRIPT} ended with exit code {exit_code}")
        output.say(BANNER)
        return exit_code
