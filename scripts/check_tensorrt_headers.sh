#!/usr/bin/env bash
# Compiles src/runtimes/tensorrt (-fsyntax-only) against the headers of real TensorRT releases.
#
# usage: scripts/check_tensorrt_headers.sh TENSORRT_ROOT...
#
# TENSORRT_ROOT holds include/NvInfer.h and include/NvOnnxParser.h (CONTRIBUTING.md says where each release publishes
# them). CUDA's headers are taken from CUDA_ROOT/include, else from .venv, else from /usr/local/cuda. CXX is the compiler.
# Prints one line for each tree. Exit status: 0 all compile, 1 one does not, 2 usage.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo '#define SKUA_BUILD_ID "header check"' > "$scratch/skua_build_id.h"

cuda_flags=()
find_cuda() {
  local folder
  for folder in "${CUDA_ROOT:-}/include" .venv/lib/python3*/site-packages/nvidia/cuda_runtime/include \
                /usr/local/cuda/include; do
    if [ -f "$folder/cuda_runtime_api.h" ]; then
      cuda_flags=(-isystem "$folder")
      # The package of the CUDA runtime alone lacks crt/, which the compiler's package has.
      [ -d "$folder/crt" ] || cuda_flags+=(-isystem "${folder%/cuda_runtime/include}/cuda_nvcc/include")
      return 0
    fi
  done
  echo "check_tensorrt_headers.sh: cuda_runtime_api.h not found; run scripts/setup.sh test, or set CUDA_ROOT" >&2
  exit 2
}
find_cuda

flags=(-std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror -Wno-deprecated-declarations
       -Iinclude -Isrc "-I$scratch")

# The number that a macro of NvInferVersion.h has; releases differ in how they write it.
part() {
  sed -n "s/^#define \(NV_TENSORRT_$1\|TRT_$1_ENTERPRISE\)[ ]*\([0-9][0-9]*\).*/\2/p" "$2" | head -n 1
}

check_tree() {
  local root=$1 include=$1/include version count=0 failed=0 source
  if [ ! -f "$include/NvInfer.h" ] || [ ! -f "$include/NvOnnxParser.h" ]; then
    echo "FAIL $root: no include/NvInfer.h and include/NvOnnxParser.h"
    return 1
  fi
  if grep -q SKUA_SIL "$include"/NvInfer*.h; then
    echo "FAIL $root: these are the stand-in's headers of tests/sil, not NVIDIA's"
    return 1
  fi
  version=$(part MAJOR "$include/NvInferVersion.h").$(part MINOR "$include/NvInferVersion.h")
  version=$version.$(part PATCH "$include/NvInferVersion.h")
  for source in src/runtimes/tensorrt/*.cpp; do
    count=$((count + 1))
    if ! "${CXX:-g++}" "${flags[@]}" -isystem "$include" "${cuda_flags[@]}" "$source" > "$scratch/log" 2>&1; then
      failed=$((failed + 1))
      { echo "$source against TensorRT $version:"; head -n 20 "$scratch/log"; } >&2
    fi
  done
  if [ "$failed" -gt 0 ]; then
    echo "FAIL $root: TensorRT $version, $failed of $count sources do not compile"
    return 1
  fi
  echo "ok   $root: TensorRT $version, $count sources"
}

status=0
for root in "$@"; do
  check_tree "$root" || status=1
done
exit $status
