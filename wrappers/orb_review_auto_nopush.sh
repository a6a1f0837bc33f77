#!/bin/bash
# What: runs the target's ops/review_auto.sh --no-push, simulated; REVIEW_AUTO_OUTPUT.txt.
# Arguments: none; sets CODEX_SKIP=1.
# Exit codes: the script's own · 1 SCRIPT_NOT_FOUND, SCRIPT_REFUSED · 2 wrong parameter or variable.
set -euo pipefail

exec "${AIOPS_PYTHON:?is set inside a job}" -I -S -B \
    "${AIOPS_WRAPPERS:?is set inside a job}/python" orb_review_auto_nopush
