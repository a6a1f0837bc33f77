#!/bin/bash
# What: a health report of the checkout, REPO_DOCTOR.txt and repo_doctor.json.
# Arguments: none; the parameter `strict` (off, errors, warnings) arrives as STRICT.
# Exit codes: 0 reported · 1 `strict` and findings of that level · 2 wrong parameter or variable · 3 couldn't look.
set -euo pipefail

exec "${AIOPS_PYTHON:?is set inside a job}" -I -S -B \
    "${AIOPS_WRAPPERS:?is set inside a job}/python" repo_doctor
