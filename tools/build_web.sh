#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds web/dist when a file of web/ changed since it was built last; installs the packages when the lock file changed.
set -euo pipefail
cd "$(dirname "$0")/../web"

content() { git ls-files -z -co --exclude-standard . | xargs -0 cksum | cksum; }

run_logged() {
  mkdir -p ../build
  if ! "$@" >../build/web.log 2>&1; then
    tail -n 40 ../build/web.log >&2
    echo "tools/build_web.sh: '$*' failed" >&2
    exit 1
  fi
}

now=$(content)
if [ -f dist/index.html ] && [ "$(cat node_modules/.headrace-built 2>/dev/null)" = "$now" ]; then exit 0; fi
lock=$(cksum <package-lock.json)
if [ "$(cat node_modules/.headrace-installed 2>/dev/null)" != "$lock" ]; then
  echo "Installing the web page's packages"
  run_logged npm ci --no-audit --no-fund
  echo "$lock" >node_modules/.headrace-installed
fi
echo "Building the web page"
run_logged npm run build
echo "$now" >node_modules/.headrace-built
