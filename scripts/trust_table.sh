#!/usr/bin/env bash
# What shows that signed sets can be trusted, in one table: scripts/trust_table.sh [--built] [STEP...]
#
#   STEP     names of scripts/trust_table.py (crash, kills, errno, corruption, races, memory, mutations, golden, fuzz,
#            coverage); none: all
#   --built  the programs of preset dev are there already
#
# SKUA_DEPTH=test|ci|prove sets the counts. Exit status 1 when a row failed or reached less than was asked.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

if [ "${1:-}" = --built ]; then
  shift
else
  scripts/setup.sh test
  build_quietly trust dev --parallel 2 --target fault_real fault_openssl unit_cache
fi
exec .venv/bin/python scripts/trust_table.py "$@"
