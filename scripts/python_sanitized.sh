#!/usr/bin/env bash
# The tests of the Python package under the address and undefined-behaviour sanitizers: scripts/python_sanitized.sh [PYTEST-ARGUMENT...]
# Files among the arguments: those alone.
#
# Builds what they need of the preset asan-ubsan. The interpreter is not instrumented: the sanitizer is loaded before it, and Python
# gets its memory from malloc, so that an object's end is seen. Leaks are not looked for: an interpreter leaves much behind
# (test_memory.py counts in an ordinary build). What is installed is no question of memory: test_install.py is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh test
targets=(_skua program_skua program_skua-build program_skua-flight skua_runtime_onnx_trt_ep skua_compiler_onnx_trt_ep
  skua_runtime_pytorch_fp16 skua_compiler_pytorch_fp16 skua_torch_run skua_torch_compile)
build_quietly python-sanitized asan-ubsan --parallel 2 --target "${targets[@]}"
library() { "${CXX:-c++}" -print-file-name="$1"; }
export SKUA_BUILD_DIR=$PWD/build/asan-ubsan
# A stack after return is a copy under this sanitizer; libstdc++ is named because Python has none when the sanitizer looks for it.
tests=(tests/python_package)
case " $*" in *' tests/python_package/'*) tests=() ;; esac
exec env LD_PRELOAD="$(library libasan.so):$(library libubsan.so):$(library libstdc++.so.6)" PYTHONMALLOC=malloc \
  ASAN_OPTIONS=detect_leaks=0:strict_string_checks=1:allocator_may_return_null=1:handle_segv=0 \
  UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
  .venv/bin/python -m pytest -q "${tests[@]}" --ignore tests/python_package/test_install.py "$@"
