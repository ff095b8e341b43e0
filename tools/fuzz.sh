#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target for FUZZ_SECONDS (default 30). Usage: fuzz.sh BUILD_FOLDER [TARGET...]
# Finds are written to build/fuzz_finds/TARGET; a fixed find belongs into tests/fuzz_corpus/TARGET.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$1
shift
seconds=${FUZZ_SECONDS:-30}
if [ $# -eq 0 ]; then mapfile -t targets < <(find "$build/src" -maxdepth 4 -type f -perm -u+x -name '*_fuzz' | sort); else
  targets=(); for name in "$@"; do targets+=("$(find "$build/src" -type f -perm -u+x -name "$name")"); done
fi
failed=0
for target in "${targets[@]}"; do
  name=$(basename "$target")
  grown="build/fuzz_grown/$name" finds="build/fuzz_finds/$name" log="build/fuzz_finds/$name.log"
  mkdir -p "$grown" "$finds"
  if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$finds/" "$grown" "tests/fuzz_corpus/$name" >"$log" 2>&1; then
    echo "$name: $(awk '/stat::number_of_executed_units/{print $2}' "$log") runs, nothing found"
  else
    failed=$((failed + 1))
    echo "$name: FAILED, see $log and $finds"
    grep -E 'ERROR|SUMMARY|runtime error|HEADRACE_ASSERT' "$log" | head -3
  fi
done
echo "fuzz: $((${#targets[@]} - failed)) passed, $failed failed"
[ $failed -eq 0 ]
