#!/usr/bin/env bash
# The benchmarks, from nothing: set-up, programs, then benchmarks/run.py, which gets this script's arguments.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh test
jobs=$(scripts/jobs.sh)
mkdir -p out
log=out/bench-build.log
echo 'bench: building the programs (build/bench)' >&2
{ cmake --preset bench && cmake --build --preset bench --parallel "$jobs"; } >"$log" 2>&1 || {
  tail -n 40 "$log" >&2
  echo "bench: the build failed; all of it is in $log" >&2
  exit 1
}
exec .venv/bin/python benchmarks/run.py --build "$PWD/build/bench" "$@"
