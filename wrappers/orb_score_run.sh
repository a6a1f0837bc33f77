#!/bin/bash
# What: runs the target's own score harness; SCORE_OUTPUT.txt.
# Arguments: none; the parameters `logs_day` and `run_id` arrive as LOGS_DAY and RUN_ID.
# Exit codes: the harness's own · 1 HARNESS_NOT_FOUND, SCRIPT_REFUSED · 2 wrong parameter or variable.
set -euo pipefail

exec "${AIOPS_PYTHON:?is set inside a job}" -I -S -B \
    "${AIOPS_WRAPPERS:?is set inside a job}/python" orb_score_run
