#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All crash tests at length: ROUNDS (default 300) kills of the log's child process and of the whole server, from SEED on, and the
# simulated disk. Usage: run_all.sh PYTHON
set -uo pipefail
cd "$(dirname "$0")/../.."
python=$1
rounds=${ROUNDS:-300} seed=${SEED:-$(date +%s)}
failed=0
echo "seed $seed, $rounds rounds"
for program in build/release/tests/crash/*_crash; do
  [ -x "$program" ] || continue
  "$program" --rounds "$rounds" --seed "$seed" || failed=1
done
# Ten runs with a tenth of the rounds each: searches stay small.
for run in $(seq 0 9); do
  HEADRACE_BINARY=build/release/src/app/headrace "$python" tests/crash/serve_kill.py --rounds $((rounds / 10)) --seed $((seed + run)) ||
    failed=1
done
if [ $failed -eq 0 ]; then echo "crash: nothing lost, nothing twice"; else echo "crash: FAILED"; fi
exit $failed
