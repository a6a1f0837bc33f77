"""``orb_doctor``: what does the target's own doctor say?"""

from aiops_wrappers.contract import Job
from aiops_wrappers.output import Output
from aiops_wrappers.target import command_for, first_of, look_at, run_into

CANDIDATES = (
    "ops/doctor.sh",
    "ops/orb_doctor.sh",
    "ops/doctor_repo.sh",
    "scripts/doctor.sh",
    "scripts/orb_doctor.sh",
    "doctor.sh",
)


def run(job: Job) -> int:
    """The exit code of the target's doctor; 1 where there is none that can be run."""
    with Output(job.artifacts, "DOCTOR_OUTPUT.txt") as output:
        script = first_of(job, CANDIDATES)
        if script is None:
            return _without_script(job, output)
        if script.refused:
            output.say(f"SCRIPT_REFUSED: {script.path} {script.refused}")
            return 1
        output.say(f"orb_doctor: {script.path} at {job.sha}")
        exit_code = run_into(output, command_for(job, script), job)
        output.say(f"orb_doctor: {script.path} ended with exit code {exit_code}")
        return exit_code


def _without_script(job: Job, output: Output) -> int:
    windows = [path.removesuffix(".sh") + ".ps1" for path in CANDIDATES]
    there = [path for path in windows if look_at(job, path)]
    if there:
        output.say(f"UNSUPPORTED: {there[0]} needs PowerShell, and there is no shell script")
    else:
        output.say("SCRIPT_NOT_FOUND: the target has no doctor script")
    output.say(f"searched, in this order: {', '.join(CANDIDATES)}")
    return 1
