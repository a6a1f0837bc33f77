#!/bin/bash
# What: runs the repository's pytest; junit.xml and TEST_SUMMARY.txt.
# Arguments: none; the parameter `test_path` arrives as TEST_PATH.
# Exit codes: 0 passed · 1 failed, or no test ran · 2 interrupted, uncollectable · 3 internal error · 4 usage.
set -euo pipefail

exec "${AIOPS_PYTHON:?is set inside a job}" -I -S -B \
    "${AIOPS_WRAPPERS:?is set inside a job}/python" test_suite
