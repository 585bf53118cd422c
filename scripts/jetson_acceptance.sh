#!/usr/bin/env bash
# What only a Jetson can show of the runtime tensorrt, unattended: builds, tests, provisions, measures and flies on a Jetson
# Orin Nano 8 GB with JetPack 6.2, and writes one report, OUT/report.md and OUT/report.json, with a verdict per line:
# pass, FAIL or not shown.
#
# usage: scripts/jetson_acceptance.sh --models DIR [--out OUT] [--minutes M] [--foreign SETS] [--sil]
#
#   --models DIR    made by scripts/jetson_models.py on a developer's machine
#   --out OUT       default out/jetson; every command's output stays in OUT/steps
#   --minutes M     of the flight, default 5; 480 for the 8 hours that the memory budget is about
#   --foreign SETS  a folder of sets made on another model of Jetson: must be refused
#   --sil           a rehearsal of this script over a build with the software-in-the-loop SDK (SKUA_BUILD_DIR, default
#                   build/sil): everything is run, little of it means anything, and the report says so
#
# Before: sudo nvpmodel -m 0 (25 W; 2 is MAXN SUPER), sudo jetson_clocks, nothing else on the GPU. TENSORRT_ROOT, CUDA_ROOT and
# ONNXRUNTIME_ROOT are used where they are set, else NVIDIA's packages; without ONNX Runtime no conformance test is run.
# Exit status: 0 nothing failed, 1 something did, 2 usage, 3 no Jetson (nothing is run, and nothing claimed).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
export LC_ALL=C

out=$PWD/out/jetson models='' minutes=5 foreign='' sil=''
usage() {
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
absolute() { realpath -m -- "$1"; }
while [ $# -gt 0 ]; do
  case $1 in
    --sil) sil=--sil; shift; continue ;;
    --models | --out | --minutes | --foreign) [ $# -ge 2 ] || usage ;;
    *) usage ;;
  esac
  case $1 in
    --models) models=$(absolute "$2") ;;
    --out) out=$(absolute "$2") ;;
    --minutes) minutes=$2 ;;
    --foreign) foreign=$(absolute "$2") ;;
  esac
  shift 2
done
[[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || usage

# ---- where this is ------------------------------------------------------------------------------------------------------
if [ -z "$sil" ]; then
  model=$(tr -d '\0' </proc/device-tree/model 2>/dev/null || true)
  if ! [[ $model == *Jetson* && -r /etc/nv_tegra_release ]]; then
    echo "jetson_acceptance.sh: this is no Jetson (/proc/device-tree/model: '${model:-not there}'): nothing was run, nothing is shown" >&2
    exit 3
  fi
  build=$PWD/build/jetson
else
  build=$(absolute "${SKUA_BUILD_DIR:-build/sil}")
  grep -q '^SKUA_TENSORRT_SIL:BOOL=ON$' "$build/CMakeCache.txt" 2>/dev/null ||
    { echo "jetson_acceptance.sh: --sil, and $build was not configured with SKUA_TENSORRT_SIL=ON" >&2; exit 2; }
fi
[ -f "$models/sets/flight.yaml" ] || {
  echo "jetson_acceptance.sh: --models: no $models/sets/flight.yaml; make it with scripts/jetson_models.py" >&2
  exit 2
}
steps=$out/steps
rm -rf "$out"
mkdir -p "$steps"
skua=$build/bin/skua flight=$build/bin/skua-flight

# step NAME COMMAND...: never stops the script; the report judges what is left in OUT/steps.
step() {
  local name=$1 started=$SECONDS status=0
  shift
  echo "== $name" >&2
  "$@" >"$steps/$name.out" 2>"$steps/$name.err" </dev/null || status=$?
  echo "$status" >"$steps/$name.status"
  echo "== $name: exit status $status after $((SECONDS - started)) s" >&2
  return "$status"
}

# ---- platform -----------------------------------------------------------------------------------------------------------
platform() {
  echo "model: ${model:-}"
  echo "l4t: $(head -n 1 /etc/nv_tegra_release)"
  echo "nvpmodel: $(nvpmodel -q 2>&1 | tr '\n' ' ')"
  grep -H . /sys/class/devfreq/*/{min_freq,max_freq,governor} 2>/dev/null | sed 's/^/clock: /'
  dpkg-query -W -f='package: ${Package} ${Version}\n' nvidia-jetpack nvidia-l4t-core 'libnvinfer10' 'libnvonnxparsers10' \
    'cuda-cudart-*' 2>/dev/null
  sed 's/^/memory: /' /proc/meminfo
}
[ -n "$sil" ] || step platform platform

# ---- build and tests ----------------------------------------------------------------------------------------------------
configure() {
  local options=(-DBUILD_TENSORRT_RUNTIME=ON -DBUILD_PYTORCH_FP16_RUNTIME=OFF -DSKUA_BUILD_TESTS=ON -DSKUA_BUILD_BENCHMARKS=ON
                 -DBUILD_ONNX_TRT_EP_RUNTIME="$([ -n "${ONNXRUNTIME_ROOT:-}" ] && echo ON || echo OFF)")
  local root
  for root in TENSORRT_ROOT CUDA_ROOT ONNXRUNTIME_ROOT; do
    [ -z "${!root:-}" ] || options+=("-D$root=${!root}")
  done
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${options[@]}"
}
report() { python3 scripts/jetson_report.py "$out" --minutes "$minutes" ${sil:+"$sil"}; }
if [ -z "$sil" ]; then
  # Without a program nothing below can be judged: the report says that much.
  { step configure configure && step build cmake --build "$build" --parallel; } || { report; exit 1; }
  step tests_unit ctest --test-dir "$build" -L unit --output-on-failure
  # Their golden values are ONNX Runtime's.
  [ -z "${ONNXRUNTIME_ROOT:-}" ] ||
    step tests_conformance ctest --test-dir "$build" -R 'conformance.*tensorrt' --no-tests=error --output-on-failure
fi
step doctor "$skua" doctor --json

# ---- engines: every network compiled, its plan held to the golden values of another runtime --------------------------------
for yaml in "$models"/sets/*.yaml; do
  name=$(basename "$yaml" .yaml)
  step "provision.$name" "$skua" provision "$yaml" --out "$out/sets/$name" --cache "$out/cache" --json
  step "inspect.$name" "$skua" inspect "$out/sets/$name" --json
done
# With golden values of its own: not every Jetson has an ONNX Runtime that could compute them.
one=$models/demo/demo_vpr
build_config() { printf '{"precision": "fp16", "build_route": "%s", "golden": {"file": "%s.golden", "origin": "eager PyTorch"}}\n' "$1" "$one"; }
build_config builder >"$out/builder.json"
build_config trtexec >"$out/trtexec.json"
again() { "$skua" compile "$one.onnx" --runtime tensorrt --out "$out/again" --config "$out/builder.json" --json; }
step again.first again
step again.second again
trtexec=/usr/src/tensorrt/bin/trtexec
[ -z "$sil" ] || trtexec=$build/sil/sil_trtexec
step route.trtexec "$skua" compile "$one.onnx" --runtime tensorrt --out "$out/route" --config "$out/trtexec.json" \
  --set "trtexec=$trtexec" --json
if [ -n "$foreign" ]; then
  step foreign "$skua" bench "$foreign" --allow-unsigned --rounds 6 --json
fi

# ---- runs: graph against enqueue, mapped against copied ------------------------------------------------------------------------
rounds=51
[ -z "$sil" ] || rounds=6
bench() {
  local name=$1 set=$2
  shift 2
  step "bench.$set.$name" "$skua" bench "$out/sets/$set" --allow-unsigned --rounds "$rounds" --json "$@"
}
for folder in "$out"/sets/*/; do
  set=$(basename "$folder")
  [[ $set != all_standins && $set != contexts ]] || continue
  bench graph "$set"
  bench enqueue "$set" --set tensorrt_cuda_graphs=false
  bench mapped "$set" --set tensorrt_io_memory=mapped
  bench copied "$set" --set tensorrt_io_memory=copied
  while read -r network tensor; do
    bench "tensor.$network.$tensor" "$set" "$network" --set tensorrt_io_memory=mapped --set "tensorrt_copied_tensors=$network/$tensor"
  done < <(python3 scripts/jetson_report.py --tensors "$steps/inspect.$set.out")
done
step resident "$skua" bench "$out/sets/all_standins" --allow-unsigned --rounds 6 --json --log

# ---- the flight loop ------------------------------------------------------------------------------------------------------
state=$out/state
mkdir -p "$state" "$out/recorder"
configuration() {
  local set=$1 lanes=$2
  cat <<CONFIGURATION
mode: live
components:
  c2_vpr: {}
  c2_5_rerank: {}
  c3_matcher: {}
  c7_inference:
    runtime: tensorrt
    flight_sets_dir: $out/sets/$set
    state_dir: $state
    recorder_dir: $out/recorder
    allow_unsigned: true
    lightglue_model: demo_matcher
    lanes: $lanes
flight:
  map: $models/flight/map
  frames: $models/flight/frames
  vpr_model: demo_vpr
  features_model: demo_features
CONFIGURATION
}
configuration flight '[]' >"$out/flight.yaml"
configuration contexts '[{consumer: first, engine: shared}, {consumer: second, engine: shared}]' >"$out/contexts.yaml"
fly() {
  local name=$1
  shift
  "$flight" --config "$out/flight.yaml" --report "$out/$name.report.json" --trace "$out/$name.trace.jsonl" "$@"
}
# Killed at some point of its start or flight, to be started again, as systemd does.
killed() {
  "$flight" --config "$out/flight.yaml" --duration 60 &
  local pid=$!
  sleep "$1"
  kill -KILL "$pid"
  wait "$pid"
  [ $? -eq 137 ]
}
# Every second of the flight: the whole computer's memory, and how hot it is.
watch_memory() {
  while sleep 1; do
    awk '/^(MemTotal|MemAvailable|SwapTotal|SwapFree):/ {printf "%s %s ", $1, $2} END {print ""}' /proc/meminfo
  done
}
watch_memory >"$out/memory.txt" &
watcher=$!
trap 'kill "$watcher" 2>/dev/null' EXIT
warm_up=30 starts=10 error_s=8
[ -z "$sil" ] || { warm_up=0; starts=2; error_s=4; }
step flight fly flight --duration "$(awk "BEGIN {print 60 * $minutes + $warm_up}")"
kill "$watcher"
for i in $(seq "$starts"); do
  step "killed.$i" killed "$((1 + i % 5))"
  step "start.$i" fly "start.$i" --duration 1
done

step contexts "$flight" --config "$out/contexts.yaml" --check

# ---- a context after an error: one call of the CUDA runtime answers with an error that costs the context ------------------------
step fail_library cc -shared -fPIC -O1 -o "$out/libfail.so" tests/jetson/fail_event_record.c -ldl
for code in 2 400 900; do
  step "error.$code" env LD_PRELOAD="$out/libfail.so" SKUA_FAIL_WHILE="$state/in_flight.json" SKUA_FAIL_NTH=30 \
    SKUA_FAIL_CODE="$code" bash -c "$(declare -f fly); flight='$flight' out='$out'; fly error.$code --duration $error_s"
done

# ---- the runtime object ---------------------------------------------------------------------------------------------------
if [ -x "$build/benchmarks/load_sessions" ]; then
  step runtime_object "$build/benchmarks/load_sessions" --set-dir "$out/sets/flight/$(cat "$out/sets/flight/CURRENT")" \
    --builds 1000 --out "$out/runtime_object"
fi

report
