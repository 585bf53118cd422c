#!/usr/bin/env bash
# Lane aarch64: what needs neither CUDA nor libtorch is cross-compiled by Debian's toolchain, every warning an error, and its unit
# tests run under qemu's user mode; without qemu-aarch64-static it compiles only, and says so. scripts/aarch64.sh
# docs/design/aarch64.md says what this shows and what not. Leaves out/results/aarch64.xml and aarch64.checks, or aarch64.failed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

tests_within_s=600  # an hour of a machine that hangs is worth less than what comes after
build=$PWD/build/aarch64
results=$PWD/out/results
log=$PWD/out/aarch64
mkdir -p "$results" "$log"
rm -f "$results"/aarch64.{xml,checks,failed}

failed() {
  echo "$1" >"$results/aarch64.failed"
  echo "lane aarch64: FAILED at: $1" >&2
  exit 1
}

# check NAME COMMAND...: a line in aarch64.checks, which is counted as a test.
check() {
  local name=$1
  shift
  if "$@" >&2; then echo "pass aarch64.$name"; else echo "fail aarch64.$name"; status=1; fi >>"$results/aarch64.checks"
}

# A warning fails the lane: one that only an unsigned char gives does, and the same source without it compiles.
refuses_a_warning() {
  cmake --build "$build" --target seeded_warning_control >"$log/control.log" 2>&1 || { cat "$log/control.log" >&2; return 1; }
  ! cmake --build "$build" --target seeded_warning >"$log/seeded.log" 2>&1 && grep -q 'Werror=type-limits' "$log/seeded.log"
}

built_files() {
  find "$build"/{bin,lib,tests} -maxdepth 1 -type f \( -perm -u+x -o -name '*.so*' \) -not -name '*.cmake'
}

are_for_aarch64() {
  local files
  mapfile -t files < <(built_files)
  python3 scripts/aarch64_checks.py machine "${files[@]}"
}

# Kernels for aarch64 have pages of 4, 16 or 64 KiB. The control: the test program says which it was given.
buffers_with_large_pages() {
  qemu-aarch64-static -p 65536 -L .deps/aarch64/sysroot "$build/tests/unit_core" --gtest_filter='Buffer*' --gtest_brief=1 \
    --gtest_output="xml:$log/large-pages.xml" >"$log/large-pages.log" 2>&1 || { cat "$log/large-pages.log"; return 1; }
  grep -q 'name="page_bytes" value="65536"' "$log/large-pages.xml"
}

run_tests() {
  local left_out
  left_out=$(python3 scripts/aarch64_checks.py left-out) || failed 'the list of tests'
  timeout "$tests_within_s" python3 scripts/run_suites.py aarch64 "$results/aarch64.xml" ${left_out:+-E "$left_out"} || status=1
  [ -s "$results/aarch64.xml" ] || failed "tests, which may take $tests_within_s s"
  check 'buffers_with_pages_of_64_kib' buffers_with_large_pages
  check 'tests_ran_as_aarch64' python3 scripts/aarch64_checks.py ran "$results/aarch64.xml"
}

started=$SECONDS
status=0
scripts/setup.sh aarch64 || failed 'set-up'
scripts/aarch64_sysroot.sh || failed 'sysroot'
ready=$SECONDS
cmake --preset aarch64 >"$log/configure.log" 2>&1 || { cat "$log/configure.log" >&2; failed 'configure'; }
cmake --build --preset aarch64 --parallel 2 || failed 'build'
built=$SECONDS
check 'a_warning_fails_the_lane' refuses_a_warning
check 'built_files_are_for_aarch64' are_for_aarch64
if command -v qemu-aarch64-static >/dev/null; then
  run_tests
else
  echo 'lane aarch64: COMPILED ONLY, no test was run: qemu-aarch64-static is not here (Debian package qemu-user-static)'
fi
echo "lane aarch64: set-up $((ready - started)) s, build $((built - ready)) s, tests $((SECONDS - built)) s, exit status $status"
exit "$status"
