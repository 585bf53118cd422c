#!/usr/bin/env bash
# A flight under faults over the software-in-the-loop SDK (docs/design/soak.md): scripts/soak.sh [--built]
#
#   --built     the programs of preset sil are there already
#   MINUTES=n   how long (3, FAST 2) SEED=n        which plan of faults (another one each time)
#   FAST=1      10 Hz instead of 3   CONTROL=name  no-restart, set-changed, wrong-picture: has to fail
#
# Results go to out/soak (index.html is the page), and out/results/soak.checks. Exit status 1 when an invariant did not
# hold or was never checked, or a fault never happened.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

if [ "${1:-}" != --built ]; then
  scripts/setup.sh test
  # The last one answers the golden vectors, on the CPU.
  build_quietly soak sil --parallel 2 --target program_skua program_skua-build program_skua-flight skua_runtime_tensorrt \
    skua_compiler_tensorrt skua_compiler_onnx_trt_ep
fi

# Of an earlier run: it would pass for this one's. A soak that is a control counts for nothing.
out=$PWD/out/soak${CONTROL:+-$CONTROL}
mkdir -p "$out" out/results
rm -f "$out"/soak.* "$out"/index.html
[ -n "${CONTROL:-}" ] || { rm -f out/results/soak.checks; echo soak >out/results/soak.failed; }

# /sys is covered and a small disk mounted: nobody else may see that. Who is not root becomes it in a namespace.
own=(unshare --mount --propagation private)
[ "$(id -u)" = 0 ] || own+=(--user --map-root-user)
export SKUA_BUILD_DIR=$PWD/build/sil PYTHONPATH=$PWD/tests
status=0
# Whoever ends this script ends the soak, and with it what flies.
"${own[@]}" setpriv --pdeathsig KILL .venv/bin/python -m soak --out "$out" --made "$PWD/out/soak-made" \
  ${MINUTES:+--minutes "$MINUTES"} ${SEED:+--seed "$SEED"} ${FAST:+--fast} ${CONTROL:+--control "$CONTROL"} || status=$?
if [ -z "${CONTROL:-}" ] && [ -f "$out/soak.checks" ]; then
  cp "$out/soak.checks" out/results/soak.checks
  rm -f out/results/soak.failed
fi
exit "$status"
