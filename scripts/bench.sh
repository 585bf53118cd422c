#!/usr/bin/env bash
# The benchmarks, from nothing: set-up, programs, then benchmarks/run.py, which gets this script's arguments.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh test
jobs=$(scripts/jobs.sh)
echo 'bench: building the programs (build/bench)' >&2
build_quietly bench bench --parallel "$jobs"
exec .venv/bin/python benchmarks/run.py --build "$PWD/build/bench" "$@"
