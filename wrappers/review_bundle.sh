#!/bin/bash
# What: what changed since a base, to be reviewed: REVIEW_BUNDLE.txt, or packets if that is too large.
# Arguments: none; the parameter `since_sha` (a full commit id) arrives as SINCE_SHA.
# Exit codes: 0 all of it is there · 2 unknown base, wrong parameter or variable · 3 couldn't be made.
set -euo pipefail

exec "${AIOPS_PYTHON:?is set inside a job}" -I -S -B \
    "${AIOPS_WRAPPERS:?is set inside a job}/python" review_bundle
