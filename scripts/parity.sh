#!/usr/bin/env bash
# Parity, from nothing: set-up, programs, then scripts/parity.py, which gets this script's arguments.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh test
jobs=$(scripts/jobs.sh)
echo 'parity: building the programs (build/release)' >&2
build_quietly parity release --parallel "$jobs"
export SKUA_BUILD_DIR=$PWD/build/release
exec .venv/bin/python scripts/parity.py "$@"
