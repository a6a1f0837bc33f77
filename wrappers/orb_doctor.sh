#!/bin/bash
# What: runs the target's own doctor script; DOCTOR_OUTPUT.txt.
# Arguments: none.
# Exit codes: the script's own · 1 SCRIPT_NOT_FOUND, UNSUPPORTED, SCRIPT_REFUSED · 2 wrong parameter or variable.
set -euo pipefail

exec "${AIOPS_PYTHON:?is set inside a job}" -I -S -B \
    "${AIOPS_WRAPPERS:?is set inside a job}/python" orb_doctor
