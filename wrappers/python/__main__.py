"""Starts the Python part of one wrapper: ``python -I -S -B wrappers/python NAME``.

Python puts this folder, and only it, before the standard library (docs.python.org, *Command
line*, ``<script>``: a directory with a ``__main__.py``). ``-I`` keeps the working directory and
the environment out of it, ``-S`` every ``.pth`` file, ``-B`` writes no bytecode beside the code.
So nothing that lies in a checkout is ever imported here.
"""

import importlib
import os
import sys

from aiops_wrappers.by_hand import is_forced, job_by_hand
from aiops_wrappers.contract import ContractError, Job, read_job
from aiops_wrappers.runner_package import make_importable

MODULES = {
    "orb_doctor": "aiops_wrappers.orb_doctor",
    "orb_ops_selftests": "aiops_wrappers.orb_ops_selftests",
    "orb_review_auto_nopush": "aiops_wrappers.orb_review_auto_nopush",
    "orb_review_bundle": "aiops_wrappers.orb_review_bundle",
    "orb_score_run": "aiops_wrappers.orb_score_run",
    "repo_doctor": "aiops_wrappers.repo_doctor",
    "review_bundle": "aiops_wrappers.review_bundle",
    "test_suite": "aiops_wrappers.pytest_suite",
}
USING_RUNNER = ("orb_review_bundle", "review_bundle")


def main(arguments: list[str]) -> int:
    """The exit code of the wrapper that ``arguments`` names."""
    if len(arguments) != 1 or arguments[0] not in MODULES:
        print(f"got {arguments!r}, expected one of {', '.join(MODULES)}", file=sys.stderr)
        return 2
    # Text that we print may quote any file name; printing must never be what fails.
    sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    try:
        if is_forced(arguments[0], os.environ):
            with job_by_hand(os.environ) as job:
                return _run(arguments[0], job)
        return _run(arguments[0], read_job())
    except ContractError as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2


def _run(name: str, job: Job) -> int:
    if name in USING_RUNNER:
        make_importable(job.environment.get("AIOPS_RUNNER", ""))
    return int(importlib.import_module(MODULES[name]).run(job))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
