#!/usr/bin/env bash
# What: one review bundle of everything since a commit; over the size cap nothing is written.
# Arguments: --since SHA [--output FILE] [--size-cap BYTES], as of `runner review bundle`; the
#   repository is the current folder's unless --repo names another. REVIEW_BUNDLE_SIZE_CAP is the
#   cap where --size-cap isn't given.
# Exit codes: 0 written, 6 over the cap (the size of each file is on standard error), 2 usage.
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
runner=$here/../.venv/bin/runner
[ -x "$runner" ] || runner=$(command -v runner) || {
  echo 'review_bundle: no runner beside this script and none on PATH' >&2
  exit 2
}
exec "$runner" review bundle --bundle-only "$@"
