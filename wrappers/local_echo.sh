#!/bin/sh
# What: prints what a job was given (repository, commit, parameters) and writes it to ECHO.txt.
# Arguments: none; the optional parameter `message` arrives as MESSAGE.
# Exit codes: 0 · 1 ECHO.txt couldn't be written · 2 not started as a job.
# Plain sh without a single further process, since this job is the yardstick for all others;
# sh has no pipefail (POSIX.1-2017) and there is no pipe here.
set -eu

if [ -z "${ARTIFACT_DIR:-}" ]; then
    echo "local_echo: ARTIFACT_DIR isn't set: this runs inside a job" >&2
    exit 2
fi

params=
if [ -r "$ARTIFACT_DIR/params.json" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        params="$params$line
"
    done <"$ARTIFACT_DIR/params.json"
fi

said="local_echo
repo: ${AIOPS_REPO:-}
sha: ${AIOPS_SHA:-}
job: ${AIOPS_JOB_ID:-}
message: ${MESSAGE:-}
params.json: ${params:-none
}"
printf '%s' "$said"
printf '%s' "$said" >"$ARTIFACT_DIR/ECHO.txt" || exit 1
