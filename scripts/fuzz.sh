#!/usr/bin/env bash
# Fuzzes the parsers: scripts/fuzz.sh [TARGET...] [--seconds N] [--runs N] [--keep] [--seed]. tests/fuzz/README.md.
#
#   TARGET       names of tests/fuzz/targets.txt; none: all, and the control that a defect is found
#   --seconds N  for each target (default: row fuzz_seconds of tests/counts.txt; 0: the corpus alone)
#   --runs N     inputs for each target, instead of a time
#   --keep       adds what reached new code to tests/fuzz/corpus, in the least number of files
#   --seed       only writes the first inputs anew (tests/fuzz/seeds.cpp)
#
# Prints one table. Exit status 1 on a finding, which lies in out/fuzz/<target>/ then.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh lanes
mkdir -p out
cmake --preset fuzz >out/fuzz-configure.log 2>&1 || { cat out/fuzz-configure.log; exit 1; }
if [ "${1:-}" = --seed ]; then
  cmake --build build/fuzz --parallel 2 --target fuzz_seeds
  exec build/fuzz/tests/fuzz_seeds tests/fuzz/corpus
fi
cmake --build --preset fuzz --parallel 2
exec .venv/bin/python scripts/fuzz.py "$@"
