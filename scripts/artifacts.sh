#!/usr/bin/env bash
# Leaves the signed flight set of the demo networks below out/artifacts: scripts/artifacts.sh
#
# Begins by removing what is there: a run that fails leaves no set of an earlier one, which would pass for its own.
# Runs the programs of SKUA_BUILD_DIR (default build/dev), which must be built. docs/formats/artifacts.md says what is left.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

rm -rf out/artifacts
skua=${SKUA_BUILD_DIR:-build/dev}/bin/skua
[ -x "$skua" ] || { echo "artifacts: expected $skua to be built (scripts/lane.sh dev), found none" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
.venv/bin/python scripts/demo_set.py "$scratch"
packages=()
[ ! -f out/packages/SHA256SUMS ] || packages=(--packages out/packages/SHA256SUMS)
.venv/bin/python scripts/artifacts.py --skua "$skua" --set "$scratch/SET.yaml" "${packages[@]}"
