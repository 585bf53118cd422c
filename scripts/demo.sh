#!/usr/bin/env bash
# The demo, from nothing: set-up, programs, then scripts/demo.py, which gets this script's arguments.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh build
jobs=$(scripts/jobs.sh)
echo 'demo: building the programs (build/release)' >&2
build_quietly demo release --parallel "$jobs"
export SKUA_BUILD_DIR=$PWD/build/release
exec .venv/bin/python scripts/demo.py "$@"
