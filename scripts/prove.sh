#!/usr/bin/env bash
# The full counts. Builds, then runs every row of tests/counts.txt that has a command, once, with SKUA_DEPTH=prove,
# and prints one table. A row that passed on this very tree is not run again: stop it and start it as you like.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh lanes
cmake --preset dev >/dev/null
cmake --build --preset dev --parallel 2
export SKUA_DEPTH=prove SKUA_BUILD_DIR=$PWD/build/dev
exec .venv/bin/python scripts/prove.py
