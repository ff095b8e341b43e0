#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the browser tests against a headrace binary: tests/browser/run.sh build/headrace [test files...]
# Needs Node 18 or newer, npm and Debian's chromium (CHROMIUM names another). Exit status 0: all passed.
# HEADRACE_SCREENSHOTS=DIR keeps pictures of what was tested there.
set -euo pipefail
binary=${1:-${HEADRACE_BINARY:-}}
if [[ -z $binary || ! -x $binary ]]; then
  echo "run.sh: expected the path of a headrace binary, got '$binary'" >&2
  exit 2
fi
shift || true
HEADRACE_BINARY=$(realpath "$binary")
export HEADRACE_BINARY
export CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [[ -z $CHROMIUM ]]; then
  echo "run.sh: no chromium found; on Debian: apt-get install chromium" >&2
  exit 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")"
if [[ ! -f node_modules/.package-lock.json || package-lock.json -nt node_modules/.package-lock.json ]]; then
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-progress
fi
if (($# == 0)); then set -- *.test.mjs; fi
exec node --test --test-concurrency=1 "$@"
