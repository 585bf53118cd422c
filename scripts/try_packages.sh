#!/usr/bin/env bash
# Installs both Debian packages into a clean root of Debian 12 and tries them there: scripts/try_packages.sh [--built]
#
# --built: out/packages is tried as it is; else `make packages` comes first. Needs root, debootstrap, mounts and namespaces,
# and fails where they are not to be had. Verdicts: out/results/packages.checks, which scripts/tally.py adds up; or
# packages.failed, where it did not get that far.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

mkdir -p out/results
rm -f out/results/packages.checks
echo packages >out/results/packages.failed
[ "${SKUA_SETUP_SYSTEM:-yes}" = no ] || scripts/setup.sh lanes
[ "${1:-}" = --built ] || scripts/packages.sh
status=0
.venv/bin/python scripts/try_packages.py out/packages || status=$?
[ ! -s out/results/packages.checks ] || rm out/results/packages.failed
exit "$status"
