#!/usr/bin/env bash
# Builds both wheels of the Python package and tries each in a fresh environment: scripts/python_wheels.sh [PYTHON...]
#
# PYTHON is an interpreter; default: python3. The first is tried as far as a machine without the aircraft's sets can:
# the ten lines of the README on a tiny network, the airborne checker. One that is not there is told and skipped, for
# CI has the machine's own version alone: nobody has tried the others. Wheels are left in out/wheels.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh build
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-2}
rm -rf out/wheels
mkdir -p out/wheels
[ $# -gt 0 ] || set -- python3

for python in "$@"; do
  if ! command -v "$python" >/dev/null; then
    echo "python_wheels: $python is not here: not built, not tried"
    continue
  fi
  for project in . packaging/airborne-python; do
    echo "python_wheels: $python, $project"
    "$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir out/wheels "$project"
  done
done
ls -l out/wheels
.venv/bin/python scripts/try_wheels.py out/wheels "$1"
