#!/usr/bin/env bash
# One lane: configure, build and run the C++ tests of a preset. scripts/lane.sh PRESET [CTEST-ARGUMENT...]
# A process for each suite, or, for who gives arguments, for each test, which is twice the time. SKUA_LEFT_OUT: an expression
# of names of GoogleTest's tests that are run elsewhere.
# Leaves out/results/PRESET.xml (and PRESET-others.xml), or PRESET.failed where it did not get that far; prints the times it took.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

preset=${1:?usage: lane.sh PRESET [CTEST-ARGUMENT...]}
shift
results=$PWD/out/results
mkdir -p "$results"
rm -f "$results/$preset.xml" "$results/$preset-others.xml" "$results/$preset.failed"

run=()
# The thread sanitizer of g++ 12 cannot start where the kernel shuffles addresses by more than 28 bits.
if [ "$preset" = tsan ] && [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)" -gt 28 ]; then
  run=(setarch -R)
fi

started=$SECONDS
cmake --preset "$preset" >"out/$preset-configure.log" 2>&1 || {
  cat "out/$preset-configure.log"
  echo 'configure' >"$results/$preset.failed"
  exit 1
}
cmake --build --preset "$preset" --parallel 2 || {
  echo 'build' >"$results/$preset.failed"
  exit 1
}
built=$SECONDS
status=0
if [ $# -eq 0 ]; then
  "${run[@]}" python3 scripts/run_suites.py "$preset" "$results/$preset.xml" ${SKUA_LEFT_OUT:+-E "$SKUA_LEFT_OUT"} || status=$?
  "${run[@]}" ctest --preset "$preset" --output-junit "$results/$preset-others.xml" -E '^(unit_|conformance|fault_)' || status=$?
else
  "${run[@]}" ctest --preset "$preset" --output-junit "$results/$preset.xml" "$@" || status=$?
fi
[ -s "$results/$preset.xml" ] || echo 'ctest' >"$results/$preset.failed"
echo "lane $preset: build $((built - started)) s, tests $((SECONDS - built)) s, exit status $status"
exit "$status"
