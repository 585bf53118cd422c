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
pytest_run() {
  local name=$1
  shift
  .venv/bin/python -m pytest -q --junitxml="out/results/$name.xml" "$@" || status=1
  [ -s "out/results/$name.xml" ] || echo 'pytest' >"out/results/$name.failed"
}
# Two files of tests at a time; those that are about time (marked `alone`) afterwards, one by one. The Python package is imported in
# processes of its own (pytest.ini).
pytest_run pytest -m 'not alone' -n 2 --dist loadfile
pytest_run python-package -m 'not alone' -n 2 --dist loadfile tests/python_package
pytest_run pytest-alone -m alone
pytest_run python-package-alone -m alone tests/python_package

.venv/bin/python scripts/tally.py out/results || status=1
exit "$status"
