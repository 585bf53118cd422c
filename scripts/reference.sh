#!/usr/bin/env bash
# Brings docs/reference up to date with the code: builds what prints the tables, then scripts/reference.py --write.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh test
jobs=$(scripts/jobs.sh)
mkdir -p out
cmake --preset dev >out/reference-configure.log 2>&1 || { cat out/reference-configure.log; exit 1; }
cmake --build build/dev --parallel "$jobs" --target program_skua program_skua-flight reference_tables _skua_stub
.venv/bin/python scripts/reference.py --write --build build/dev
