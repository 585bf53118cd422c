# Sourced by the other scripts: what every build and test of this tree runs under.

# Compiler results are shared between clones (a fresh clone builds from what an earlier one compiled).
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
# ONNX Runtime wheels newer than ours report to their maker unless told not to.
export ORT_DISABLE_TELEMETRY=1
# Half convolutions of libtorch 2.13 hang on some CPUs (docs/design/pytorch.md, Limits); Skua sets this for itself.
export ONEDNN_MAX_CPU_ISA=${ONEDNN_MAX_CPU_ISA:-AVX512_CORE_BF16}
export PYTHONDONTWRITEBYTECODE=1

# build_quietly WHO PRESET [ARGUMENT OF cmake --build...]: what compilers say is in out/WHO-build.log, and its end here if it fails.
build_quietly() {
  local who=$1 preset=$2 log=out/$1-build.log
  shift 2
  mkdir -p out
  if { cmake --preset "$preset" && cmake --build --preset "$preset" "$@"; } >"$log" 2>&1; then return; fi
  tail -n 40 "$log" >&2
  echo "$who: the build failed; all of it is in $log" >&2
  return 1
}
