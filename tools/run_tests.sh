#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests of one build and counts their cases. Usage: run_tests.sh PRESET [ctest arguments]
set -uo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
results="$PWD/build/results/$preset"
rm -rf "$results" && mkdir -p "$results"
# Each program writes its cases there: GoogleTest by itself, pytest by tests/pytest.ini's plugin-free option.
export GTEST_OUTPUT="xml:$results/" HEADRACE_RESULTS="$results"
symbolizer=/usr/lib/llvm-19/bin/llvm-symbolizer
if [ -x "$symbolizer" ]; then export ASAN_SYMBOLIZER_PATH="$symbolizer"; tsan_symbolizer="external_symbolizer_path=$symbolizer:"; fi
export ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="${tsan_symbolizer:-}halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/tsan.supp:${TSAN_OPTIONS:-}"
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --timeout 900 --output-junit "$results/ctest.junit" -j"${JOBS:-$(nproc)}" "$@"
status=$?
python3 tools/count_tests.py "$results" "$preset"
exit $status
