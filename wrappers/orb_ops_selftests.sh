#!/bin/bash
# What: runs the target's ops/tests/*_selftest.sh, each of them; SELFTESTS_OUTPUT.txt.
# Arguments: none.
# Exit codes: 0 all passed · 1 one failed, or SCRIPT_NOT_FOUND · 2 wrong parameter or variable.
set -euo pipefail

exec "${AIOPS_PYTHON:?is set inside a job}" -I -S -B \
    "${AIOPS_WRAPPERS:?is set inside a job}/python" orb_ops_selftests
