#!/usr/bin/env bash
# The runtime tensorrt over the software-in-the-loop SDK of tests/sil, on any machine: the C++ tests that only such a build
# has, then the programs from a model to a flight. Results join those of other runs in out/results.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

status=0
scripts/setup.sh test
mkdir -p out/results
rm -f out/results/sil-programs{,-alone}.{xml,failed}  # of an earlier run: they would pass for this one's
scripts/lane.sh sil -R '^unit_sil_|^unit_tensorrt|^conformance.*tensorrt' || status=1
if [ -f out/results/sil.failed ]; then  # no programs: the end-to-end tests would only repeat that
  exit 1
fi

# Over another SDK, or none, every one of these tests would be skipped, and nothing would say so.
grep -q '^SKUA_TENSORRT_SIL:BOOL=ON$' build/sil/CMakeCache.txt || {
  echo 'sil: preset sil is not built over the software-in-the-loop SDK (SKUA_TENSORRT_SIL=ON in CMakePresets.json)'
  echo 'not over the SIL' >out/results/sil-programs.failed
  exit 1
}

export SKUA_BUILD_DIR=$PWD/build/sil
run() {
  local name=$1
  shift
  .venv/bin/python -m pytest -q --junitxml="out/results/$name.xml" "$@" tests/e2e/test_tensorrt*.py || status=1
  [ -s "out/results/$name.xml" ] || echo pytest >"out/results/$name.failed"
}
run sil-programs -m 'not alone' -n 2 --dist loadfile
run sil-programs-alone -m alone
.venv/bin/python scripts/tally.py out/results || status=1
exit "$status"
