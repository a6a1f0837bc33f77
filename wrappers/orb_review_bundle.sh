#!/bin/bash
# What: the target's own review bundle; review packets where it, or ours, would be too large.
# Arguments: none; the parameter `since_sha` (a full commit id) arrives as SINCE_SHA.
#   By hand, from a repository, with Python 3.11 or later and nothing of the repository's run:
#   FORCE_SIZE_CAP=1 ARTIFACT_DIR=… SINCE_SHA=… bash wrappers/orb_review_bundle.sh
# Exit codes: 0 all of it is there · 1 SCRIPT_REFUSED, or no bundle · 2 unknown base, wrong parameter
#   or variable, forced inside a job · 3 couldn't be made · else the target's ops/review_bundle.sh's.
set -euo pipefail

if [[ "${FORCE_SIZE_CAP:-0}" != 0 ]]; then
    home=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
    python=$(PATH=$home/.venv/bin:$PATH command -v python3) || echo "no python3 in PATH" >&2
    export AIOPS_PYTHON=${AIOPS_PYTHON:-$python}
    export AIOPS_WRAPPERS=${AIOPS_WRAPPERS:-$home/wrappers} AIOPS_RUNNER=${AIOPS_RUNNER:-$home}
fi
exec "${AIOPS_PYTHON:?is set inside a job}" -I -S -B \
    "${AIOPS_WRAPPERS:?is set inside a job}/python" orb_review_bundle
