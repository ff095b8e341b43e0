#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Formatting, layers and sizes of everything; clang-tidy on what changed since LINT_BASE (default: where this branch left
# origin/main), or on all for at most LINT_SECONDS when there is nothing to compare with.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
status=0

echo "== format"
git ls-files -z '*.cc' '*.h' ':!tests/lint/bad' | xargs -0 -P"$jobs" -n20 clang-format-19 --dry-run --Werror 2>&1 |
  grep -E 'error:' | sed 's/: error:.*//' | cut -d: -f1 | sort | uniq -c | awk '{print $2 ": " $1 " places; run make format"}' >build/format.log
if [ -s build/format.log ]; then cat build/format.log; status=1; else echo "format: clean"; fi

echo "== layers"
python3 tools/check_layers.py || status=1
python3 tests/lint/check_layers_test.py 2>build/layers_test.log || { cat build/layers_test.log; status=1; }

echo "== clang-tidy"
base=${LINT_BASE:-$(git merge-base HEAD origin/main 2>/dev/null || true)}
if [ -n "$base" ] && [ "$(git rev-parse "$base")" = "$(git rev-parse HEAD)" ] && git diff --quiet HEAD; then base=; fi
# Clang's own build folder: only its precompiled headers are built there, so that each file is parsed in a fraction of the time.
cmake --preset tidy >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
ninja -C build/tidy -j"$jobs" --quiet tidy_inputs || exit 1
if [ -n "$base" ]; then
  python3 tools/run_clang_tidy.py build/tidy --base "$base" || status=1
else
  python3 tools/run_clang_tidy.py build/tidy --seconds "${LINT_SECONDS:-420}" || status=1
fi
[ $status -eq 0 ] && echo "lint: clean"
exit $status
