#!/usr/bin/env bash
# Parity, from nothing: set-up, programs, then scripts/parity.py, which gets this script's arguments.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh test
jobs=$(scripts/jobs.sh)
mkdir -p out
log=out/parity-build.log
echo 'parity: building the programs (build/release)' >&2
{ cmake --preset release && cmake --build --preset release --parallel "$jobs"; } >"$log" 2>&1 || {
  tail -n 40 "$log" >&2
  echo "parity: the build failed; all of it is in $log" >&2
  exit 1
}
export SKUA_BUILD_DIR=$PWD/build/release
exec .venv/bin/python scripts/parity.py "$@"
