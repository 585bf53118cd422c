#!/usr/bin/env bash
# Branch coverage of what judges foreign bytes: scripts/coverage.sh. tests/coverage.txt names the files and the marks.
#
# Builds preset `coverage` (g++-11 --coverage), runs the unit tests of core, cache, calibration, telemetry and bootstrap, of
# inference what loads, of flight what reads its state and settings, system calls that fail, and the fuzz corpus; prints a
# table, and every branch that nothing has taken. Exit status 1 below a mark. At CI's depth unless SKUA_DEPTH says another.
#
# What counts as a branch stands in scripts/coverage.py: the ways out of decisions, and nothing that only exceptions
# take. The system calls fail one by one here, all of them (depth prove): a sample misses ways at random.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
export SKUA_DEPTH=${SKUA_DEPTH:-ci}
export CCACHE_DISABLE=1  # what gcov needs lies beside the objects of this very build

scripts/setup.sh lanes
mkdir -p out/coverage out/results
rm -f out/results/coverage.xml
cmake --preset coverage >out/coverage/configure.log 2>&1 || { cat out/coverage/configure.log; exit 1; }
cmake --build --preset coverage --parallel 2
find build/coverage -name '*.gcda' -delete
status=0
# Beside the tests: one process after the other, each of which mostly waits for the kernel to stop it.
SKUA_DEPTH=prove build/coverage/tests/fault_real --gtest_filter='ErrnoInjection.*-*Careless*' >out/coverage/errno.log &
errno_sweep=$!
tests=0
{
  python3 scripts/run_suites.py coverage out/results/coverage.xml || tests=1
  ctest --preset coverage -R '^fuzz\.' || tests=1
} >out/coverage/tests.log 2>&1
if [ "$tests" != 0 ]; then
  grep -E '\*\*\*|FAILED|Failure|run_suites|tests passed|processes' out/coverage/tests.log
  status=1
fi
wait "$errno_sweep" || {
  tail -n 40 out/coverage/errno.log
  status=1
}
.venv/bin/python scripts/coverage.py || status=1
exit "$status"
