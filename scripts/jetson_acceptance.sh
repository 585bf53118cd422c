#!/usr/bin/env bash
# What only a Jetson can show of the runtime tensorrt, unattended: builds, tests, provisions, measures and flies on a Jetson
# Orin Nano 8 GB with JetPack 6.2, and writes one report, OUT/report.md and OUT/report.json, with a verdict per line:
# pass, FAIL, figure or not shown. Every step has a time limit, and an interrupted run has its report too.
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
# Before: install the packages that CONTRIBUTING.md names under "On a Jetson"; sudo systemctl disable nvzramconfig and a
# reboot, so that no memory is swapped into itself; sudo nvpmodel -m 1 (25W; on an Orin Nano Super with JetPack 6.2, 0 is
# 15W, 2 MAXN_SUPER and 3 7W); sudo jetson_clocks; nothing else on the GPU. TENSORRT_ROOT, CUDA_ROOT and ONNXRUNTIME_ROOT
# are used where they are set, else NVIDIA's packages; without ONNX Runtime no conformance test is run.
# Exit status: 0 nothing failed, 1 something did, 2 usage, 3 no Jetson (nothing is run, and nothing claimed), 130 or 143
# interrupted.
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

warm_up=30 starts=10 error_s=8 rounds=51
[ -z "$sil" ] || { warm_up=0; starts=2; rounds=6; }
for yaml in "$models"/sets/*.yaml; do basename "$yaml" .yaml; done >"$out/sets.txt"

# However this ends there is a report; what was not run is said there.
child='' watcher=''
finish() {
  local status=$1
  trap - EXIT INT TERM
  [ -z "$child" ] || { kill -TERM "$child" && wait "$child"; } 2>/dev/null
  [ -z "$watcher" ] || kill "$watcher" 2>/dev/null
  rm -f "$out/flight.key"
  python3 scripts/jetson_report.py "$out" --minutes "$minutes" --warm-up "$warm_up" ${sil:+"$sil"} ||
    [ "$status" -ne 0 ] || status=1
  exit "$status"
}
trap 'finish $?' EXIT
trap 'finish 130' INT
trap 'finish 143' TERM

# step NAME LIMIT_S COMMAND...: a program, or an exported function. Never stops the script; the report judges what is left in
# OUT/steps. In the background, for a trap waits until a foreground command has ended.
step() {
  local name=$1 limit=$2 started=$SECONDS status=0
  shift 2
  [ "$(type -t "$1")" != function ] || set -- bash -c '"$@"' bash "$@"
  echo "== $name" >&2
  timeout -k 10 "$limit" "$@" >"$steps/$name.out" 2>"$steps/$name.err" </dev/null &
  child=$!
  wait "$child" || status=$?
  child=''
  echo "$status" >"$steps/$name.status"
  echo "== $name: exit status $status after $((SECONDS - started)) s" >&2
  return "$status"
}
export build out skua flight sil

# ---- platform -----------------------------------------------------------------------------------------------------------
platform() {
  echo "model: $model"
  echo "l4t: $(head -n 1 /etc/nv_tegra_release)"
  echo "nvpmodel: $(nvpmodel -q 2>&1 | tr '\n' ' ')"
  grep -H . /sys/class/devfreq/*/{min_freq,max_freq,governor} 2>/dev/null | sed 's/^/clock: /'
  dpkg-query -W -f='package: ${Package} ${Version}\n' nvidia-jetpack nvidia-l4t-core 'libnvinfer10' 'libnvonnxparsers10' \
    'cuda-cudart-*' 2>/dev/null
  sed 's/^/memory: /' /proc/meminfo
}
export model=${model:-}
export -f platform
[ -n "$sil" ] || step platform 60 platform

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
export -f configure
if [ -z "$sil" ]; then
  # Without a program nothing below can be judged. Three compilers are what 8 GB hold beside a desktop.
  { step configure 600 configure && step build 14400 cmake --build "$build" --parallel 3; } || exit 1
  step install 300 cmake --install "$build" --prefix "$out/installed"
  step no_sil 300 python3 scripts/check_no_sil.py "$out/installed"
  step tests_unit 7200 ctest --test-dir "$build" -L unit --output-on-failure
  # Their golden values are ONNX Runtime's.
  [ -z "${ONNXRUNTIME_ROOT:-}" ] ||
    step tests_conformance 7200 ctest --test-dir "$build" -R 'conformance.*tensorrt' --no-tests=error --output-on-failure
fi
step doctor 60 "$skua" doctor --json

# ---- engines: every network compiled, its plan held to the golden values of another runtime --------------------------------
build_s=3600  # of one network: the device has a sixth of a workstation's processors, and times every kernel
step keygen 60 "$skua" keygen "$out/flight" --json  # a throw-away key: nothing flies unsigned
for name in $(cat "$out/sets.txt"); do
  step "provision.$name" $((10 * build_s)) "$skua" provision "$models/sets/$name.yaml" --out "$out/sets/$name" \
    --cache "$out/cache" --set "trtexec_timeout_s=$build_s" --sign "$out/flight.key" --json
  step "inspect.$name" 120 "$skua" inspect "$out/sets/$name" --json
done
rm -f "$out/flight.key"
# What is left of it for others, in the layout of docs/formats/artifacts.md.
step artifacts 300 python3 scripts/artifacts.py --skua "$skua" --out "$out/artifacts" --sets "$out/sets/flight" --trust "$out/flight.pub"
# With golden values of its own: not every Jetson has an ONNX Runtime that could compute them.
one=$models/demo/demo_vpr
build_config() { printf '{"precision": "fp16", "build_route": "%s", "golden": {"file": "%s.golden", "origin": "eager PyTorch"}}\n' "$1" "$one"; }
build_config builder >"$out/builder.json"
build_config trtexec >"$out/trtexec.json"
compile=("$skua" compile "$one.onnx" --runtime tensorrt --timeout "$build_s" --json)
for which in first second; do
  step "again.$which" $((build_s + 600)) "${compile[@]}" --out "$out/again" --config "$out/builder.json"
done
trtexec=/usr/src/tensorrt/bin/trtexec
[ -z "$sil" ] || trtexec=$build/sil/sil_trtexec
step route.trtexec $((build_s + 600)) "${compile[@]}" --out "$out/route" --config "$out/trtexec.json" --set "trtexec=$trtexec"
# int8 and mixed are compared with their float32 source, which ONNX Runtime runs on the CPU. What stays float32 is what a
# detector needs (docs/design/precision-tools.md).
if [ -n "$sil" ] || [ -n "${ONNXRUNTIME_ROOT:-}" ]; then
  judged=("$skua" compile "$models/demo/demo_features.onnx" --runtime tensorrt --timeout "$build_s" --out "$out/judged"
          --calibration-dataset "$models/samples" --keep-fp32 '/corners/*' --keep-fp32 '/gradients/*' --json)
  for which in first second; do step "int8.$which" $((build_s + 600)) "${judged[@]}" --precision int8; done
  step mixed $((build_s + 600)) "${judged[@]}" --precision mixed
fi
if [ -n "$foreign" ]; then
  printf 'skua_policy: 1\nallow_unsigned: true\n' >"$out/foreign.yaml"
  step foreign 600 "$skua" bench "$foreign" --policy "$out/foreign.yaml" --rounds 6 --json
fi

# ---- runs: graph against enqueue, mapped against copied ------------------------------------------------------------------------
bench() {
  local name=$1 set=$2
  shift 2
  step "bench.$set.$name" 1200 "$skua" bench "$out/sets/$set" --trust "$out/flight.pub" --rounds "$rounds" --json "$@"
}
for set in $(cat "$out/sets.txt"); do
  [[ $set != stack && $set != contexts && $set != asked ]] || continue
  bench graph "$set"
  bench enqueue "$set" --set tensorrt_cuda_graphs=false
  bench mapped "$set" --set tensorrt_io_memory=mapped
  bench copied "$set" --set tensorrt_io_memory=copied
  while read -r network tensor; do
    bench "tensor.$network.$tensor" "$set" "$network" --set tensorrt_io_memory=mapped --set "tensorrt_copied_tensors=$network/$tensor"
  done < <(python3 scripts/jetson_report.py --tensors "$steps/inspect.$set.out")
done

# ---- the flight loop ------------------------------------------------------------------------------------------------------
export state=$out/state
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
    trusted_key: $out/flight.pub
    lightglue_model: demo_matcher
    lanes: $lanes
flight:
  map: $models/flight/map
  frames: $models/flight/frames
  vpr_model: demo_vpr
  features_model: demo_features
CONFIGURATION
  # On a busy machine no frame of the software-in-the-loop SDK would make its time.
  [ -z "$sil" ] || printf '  rate_hz: 1\n  deadline_ms: 5000\n'
}
configuration stack '[]' >"$out/flight.yaml"
# Every network resident; the demo networks alone are better than nothing, and the report tells them apart.
step load 900 "$flight" --config "$out/flight.yaml" --check || configuration flight '[]' >"$out/flight.yaml"
configuration contexts '[{consumer: first, engine: shared}, {consumer: second, engine: shared}]' >"$out/contexts.yaml"
fly() {
  local name=$1
  shift
  "$flight" --config "$out/flight.yaml" --report "$out/$name.report.json" --frame-lines "$out/$name.frames.jsonl" "$@"
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
export -f fly killed
# Every second of the flight: the whole computer's memory.
watch_memory() {
  while :; do
    awk '/^(MemTotal|MemAvailable|SwapTotal|SwapFree):/ {printf "%s %s ", $1, $2} END {print ""}' /proc/meminfo
    sleep 1
  done
}
seconds=$(awk "BEGIN {print 60 * $minutes + $warm_up}")
watch_memory >"$out/memory.txt" &
watcher=$!
step flight $((${seconds%.*} + 900)) fly flight --duration "$seconds"
kill "$watcher"
watcher=''
for i in $(seq "$starts"); do
  step "killed.$i" 120 killed "$((1 + i % 5))"
  step "start.$i" 600 fly "start.$i" --duration 1
done

step contexts 900 "$flight" --config "$out/contexts.yaml" --check

# ---- after an error: one call of the CUDA runtime answers with it, in the second frame or so ------------------------------------
step fail_library 60 cc -shared -fPIC -O1 -o "$out/libfail.so" tests/jetson/fail_event_record.c -ldl
for code in 2 400 900; do
  step "error.$code" 600 env LD_PRELOAD="$out/libfail.so" SKUA_FAIL_WHILE="$state/in_flight.json" SKUA_FAIL_NTH=20 \
    SKUA_FAIL_CODE="$code" bash -c 'fly "$@"' fly "error.$code" --duration "$error_s"
done

# ---- the runtime object ---------------------------------------------------------------------------------------------------
if [ -x "$build/benchmarks/load_sessions" ]; then
  step runtime_object 1800 "$build/benchmarks/load_sessions" --builds 1000 --out "$out/runtime_object" \
    --set-dir "$out/sets/flight/$(cat "$out/sets/flight/CURRENT")" --trust "$out/flight.pub"
fi
exit 0
