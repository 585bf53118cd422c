#!/usr/bin/env bash
# Lint: scripts/lint.sh [--changed]. With --changed clang-tidy looks only at what differs from the last commit.
# Every check runs, even after a failed one; out/results/lint.checks holds the verdicts.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh lanes || exit 1
mkdir -p out/results
verdicts=out/results/lint.checks
: >"$verdicts"

check() {
  local name=$1 started=$SECONDS verdict=pass
  shift
  "$@" || verdict=fail
  echo "$verdict $name" >>"$verdicts"
  echo "lint: $verdict $name ($((SECONDS - started)) s)"
}

cpp_files() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cpp' | while read -r f; do [ -f "$f" ] && echo "$f"; done; }
format() { cpp_files | xargs --no-run-if-empty clang-format --dry-run -Werror; }
shell_syntax() {
  local file status=0
  for file in scripts/*.sh .ci/run; do bash -n "$file" || status=1; done
  return $status
}
tidy() {
  # Configured only: it says how each source is compiled.
  cmake --preset dev -B build/lint >out/lint-configure.log 2>&1 || { cat out/lint-configure.log; return 1; }
  .venv/bin/python scripts/run_tidy.py build/lint "$@"
}

check include-directions .venv/bin/python scripts/check_includes.py
check headers .venv/bin/python scripts/check_headers.py
check format format
for rule in ascii todo size python; do check "$rule" .venv/bin/python scripts/check_text.py "$rule"; done
check shell shell_syntax
check tidy tidy "$@"

if grep -q '^fail' "$verdicts"; then
  echo "lint: failed: $(sed -n 's/^fail //p' "$verdicts" | xargs)"
  exit 1
fi
