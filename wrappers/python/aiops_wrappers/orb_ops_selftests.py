"""``orb_ops_selftests``: do the target's ops selftests pass?"""

from aiops_wrappers.contract import Job
from aiops_wrappers.output import Output
from aiops_wrappers.target import command_for, look_at, relative_names, run_into

FOLDER = "ops/tests"
SUFFIX = "_selftest.sh"


def run(job: Job) -> int:
    """0 if every selftest ended with 0, else 1; 1 as well where there is none.

    Every one is run, whatever became of those before it.
    """
    with Output(job.artifacts, "SELFTESTS_OUTPUT.txt") as output:
        paths = relative_names(job, FOLDER, SUFFIX)
        if not paths:
            output.say(f"SCRIPT_NOT_FOUND: the target has no {FOLDER}/*{SUFFIX}")
            return 1
        results = [(path, _run_one(job, output, path)) for path in paths]
        failed = [path for path, result in results if result != "passed"]
        output.say(f"== {len(paths) - len(failed)} of {len(paths)} passed, at {job.sha}")
        for path, result in results:
            output.say(f"{result}: {path}")
        return 1 if failed else 0


def _run_one(job: Job, output: Output, path: str) -> str:
    output.say(f"== {path}")
    script = look_at(job, path)
    if script is None:
        return "gone"
    if script.refused:
        output.say(f"SCRIPT_REFUSED: {script.path} {script.refused}")
        return "refused"
    exit_code = run_into(output, command_for(job, script), job)
    return "passed" if exit_code == 0 else f"failed with exit code {exit_code}"
