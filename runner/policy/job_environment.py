"""What a job finds: its variables, of which it starts with none, and its parameters."""

import json

from runner.model.job import JobPlan

_PATH = "/usr/local/bin:/usr/bin:/bin"


def job_environment(
    plan: JobPlan, *, has_githooks: bool, python: str | None, runner: str | None
) -> tuple[tuple[str, str], ...]:
    """Name and value of each variable, except the folders that the backend decides.

    git reads ``safe.directory`` only from protected configuration, of which the environment is a
    part (git-config(1), *GIT_CONFIG_COUNT*): the tree belongs to another uid than the job's.

    Args:
        plan: The job.
        has_githooks: Whether the tree brings hooks.
        python: An interpreter, for a job that needs one.
        runner: The folder that holds the ``runner`` package, likewise.
    """
    git = [("safe.directory", "*"), ("core.fsmonitor", "false")]
    if has_githooks:
        git.append(("core.hooksPath", ".githooks"))
    variables = {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(git)),
        **dict(plan.env),
    }
    for number, (key, value) in enumerate(git):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    if python is not None:
        variables["AIOPS_PYTHON"] = python
    if runner is not None:
        variables["AIOPS_RUNNER"] = runner
    return tuple(sorted(variables.items()))


def params_json(plan: JobPlan) -> bytes:
    """What a job finds as ``$ARTIFACT_DIR/params.json``: who it is, and what it was given."""
    wanted = {"job_id", "job_type", "repo_name", "sha", "params"}
    return json.dumps(plan.model_dump(include=wanted), sort_keys=True, indent=2).encode() + b"\n"
