#!/usr/bin/env bash
# All tests: set-up, the C++ tests of preset dev, the Python tests. SKUA_DEPTH=test|ci|prove sets the counts; SKUA_LEFT_OUT
# names C++ tests that are run elsewhere (scripts/lane.sh).
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
for folder in tests/include_checker tests/python tests/python_package tests/e2e; do
  compgen -G "$folder/test_*.py" >/dev/null && folders+=("$folder")
done
# Two files of tests at a time; those that are about time (marked `alone`) afterwards, one by one.
pytest_run() {
  local name=$1
  shift
  .venv/bin/python -m pytest -q --junitxml="out/results/$name.xml" "$@" "${folders[@]}" || status=1
  [ -s "out/results/$name.xml" ] || echo 'pytest' >"out/results/$name.failed"
}
pytest_run pytest -m 'not alone' -n 2 --dist loadfile
pytest_run pytest-alone -m alone

.venv/bin/python scripts/tally.py out/results || status=1
exit "$status"
