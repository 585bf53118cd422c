#!/usr/bin/env bash
# All tests: set-up, the C++ tests of preset dev, the Python tests. SKUA_DEPTH=test|ci|prove sets the counts.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh test
rm -rf out/results
status=0
scripts/lane.sh dev || status=1

if [ -f out/results/dev.failed ]; then  # no programs: the end-to-end tests would only repeat that
  .venv/bin/python scripts/tally.py out/results || true
  exit 1
fi

export SKUA_BUILD_DIR=$PWD/build/dev
folders=()
for folder in tests/include_checker tests/python tests/e2e; do
  compgen -G "$folder/test_*.py" >/dev/null && folders+=("$folder")
done
.venv/bin/python -m pytest -q --junitxml=out/results/pytest.xml "${folders[@]}" || status=1
[ -s out/results/pytest.xml ] || echo 'pytest' >out/results/pytest.failed

.venv/bin/python scripts/tally.py out/results || status=1
exit "$status"
