#!/usr/bin/env bash
# Prepares a Debian 12 machine: scripts/setup.sh [build|test|lanes|aarch64]
#
#   build  what the programs and the demo need      test  + what the tests need
#   lanes  + g++-11, clang-format and clang-tidy, for .ci/run and lint
#   aarch64  as test, with the cross compiler and qemu, for scripts/aarch64.sh
#
# Idempotent, and quick when nothing is to be done. Installs Debian packages (with sudo where not root), a Python
# environment in .venv and the ONNX Runtime headers in .deps, says what it installs, and writes nowhere else.
#
#   SKUA_SETUP_SYSTEM=no   do not touch or check system packages (another distribution; see CONTRIBUTING.md)
#   ONNXRUNTIME_ROOT=DIR   an installed ONNX Runtime: its headers are used, none are fetched
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:-build}
case $level in
  build) levels='build' ;;
  test) levels='build test' ;;
  lanes) levels='build test lanes' ;;
  aarch64) levels='build test aarch64' ;;
  *) echo "setup: unknown level '$level' (build, test, lanes or aarch64)" >&2; exit 2 ;;
esac

say() { echo "setup: $*" >&2; }
fail() { echo "setup: error: $*" >&2; exit 1; }

# Packages of the wanted levels, as lines "name prefix".
wanted_packages() {
  awk -v levels=" $levels " '!/^#/ && NF == 3 && index(levels, " " $1 " ") { print $2, $3 }' scripts/debian-packages.txt
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    fail "installing packages needs root, and there is no sudo: run as root: $*"
  fi
}

# Upstream version of what is installed ("" when it is not) or would be: without epoch and packaging suffixes.
installed_version() {
  { dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null || true; } | sed -nE 's/^installed ([0-9]+:)?//p'
}
candidate_version() {
  { apt-cache policy "$1" 2>/dev/null || true; } | sed -nE '/\(none\)/d; s/^ *Candidate: ([0-9]+:)?//p'
}

# Reads "name prefix" lines; sets $missing; stops at a version that is installed but is not the expected one.
find_missing() {
  missing=()
  local name prefix version
  while read -r name prefix; do
    version=$(installed_version "$name")
    if [ -z "$version" ]; then missing+=("$name $prefix"); else check_version "$name" "$prefix" "$version"; fi
  done < <(wanted_packages)
}

check_version() {
  case $3 in
    "$2"*) ;;
    *) fail "Debian package $1: expected version $2*, this machine has $3. The project is pinned to Debian 12" \
            "(scripts/debian-packages.txt); elsewhere install the packages yourself and set SKUA_SETUP_SYSTEM=no" ;;
  esac
}

install_packages() {
  command -v dpkg-query >/dev/null || fail 'no dpkg here: install the packages yourself and set SKUA_SETUP_SYSTEM=no'
  find_missing
  [ ${#missing[@]} -eq 0 ] && return
  local entry name names=() version updated=no
  for entry in "${missing[@]}"; do
    name=${entry% *}
    version=$(candidate_version "$name")
    if [ -z "$version" ] && [ $updated = no ]; then
      say 'apt-get update'
      as_root apt-get update -qq
      updated=yes
      version=$(candidate_version "$name")
    fi
    [ -n "$version" ] || fail "Debian package $name is not offered by this machine's package sources"
    check_version "$name" "${entry#* }" "$version"
    names+=("$name")
  done
  say "installing Debian packages: ${names[*]}"
  apt_install "${names[@]}" || {
    say 'apt-get update, then once more'  # a list that is older than the archive names files that are gone
    as_root apt-get update -qq
    apt_install "${names[@]}"
  }
  find_missing
  [ ${#missing[@]} -eq 0 ] || fail "still not installed: ${missing[*]}"
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" >&2
}

install_python() {
  command -v python3 >/dev/null || fail 'no python3 on PATH'
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "requirements.txt needs Python 3.11 or newer, python3 here is $(python3 -V)"
  if ! .venv/bin/python -c '' 2>/dev/null; then
    say "making .venv with $(python3 -V)"
    python3 -m venv --clear .venv
  fi
  say 'installing the Python packages of requirements.txt into .venv'
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt >&2
  check_python
}

# What is in .venv must be requirements.txt, no less and no more.
check_python() {
  local want have extra
  normal() { grep -v '^#' | sed -E 's/\+.*//' | tr 'A-Z_' 'a-z-' | sort; }
  want=$(normal <requirements.txt)
  have=$(.venv/bin/python -m pip freeze --disable-pip-version-check | normal)
  [ -z "$(comm -23 <(echo "$want") <(echo "$have"))" ] ||
    fail "packages of requirements.txt that .venv lacks: $(comm -23 <(echo "$want") <(echo "$have") | xargs)"
  extra=$(comm -13 <(echo "$want") <(echo "$have") | xargs)
  case " $extra" in
    ' ') ;;
    *' nvidia-'* | *' triton=='*)
      say "note: the package index gave a CUDA build of torch, which brought: $extra. It works, but takes" \
          "gigabytes; an index that offers the CPU build avoids it (remove .venv, then run setup again)" ;;
    *) fail ".venv holds packages that requirements.txt does not pin: $extra" ;;
  esac
}

# A digest of everything this script depends on; equal digest and everything in place: nothing to do.
inputs_digest() {
  cat scripts/setup.sh scripts/onnxruntime_headers.sh scripts/debian-packages.txt requirements.txt |
    { cat; echo "$PWD ${ONNXRUNTIME_ROOT:-}"; } | sha256sum | cut -d' ' -f1
}

in_place() {
  [ "$(cat ".deps/stamp-$level" 2>/dev/null)" = "$(inputs_digest)" ] || return 1
  [ -x .venv/bin/python ] && compgen -G '.venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so.*' >/dev/null || return 1
  [ -n "${ONNXRUNTIME_ROOT:-}" ] || [ -f .deps/onnxruntime/include/onnxruntime_c_api.h ] || return 1
  [ "${SKUA_SETUP_SYSTEM:-yes}" = no ] && return 0
  local names
  names=$(wanted_packages | cut -d' ' -f1)
  # shellcheck disable=SC2086
  [ "$(dpkg-query -W -f '${db:Status-Status}\n' $names 2>/dev/null | grep -c '^installed$')" = "$(wc -w <<<"$names")" ]
}

mkdir -p .deps
exec 9>.deps/lock
flock 9  # one set-up at a time in this tree
in_place && exit 0
started=$SECONDS
[ "${SKUA_SETUP_SYSTEM:-yes}" = no ] || install_packages
python_digest=$(cat requirements.txt scripts/setup.sh | sha256sum)
if [ "$(cat .deps/stamp-python 2>/dev/null)" != "$python_digest $PWD" ] || ! .venv/bin/python -c '' 2>/dev/null; then
  install_python
  echo "$python_digest $PWD" >.deps/stamp-python
fi
[ -n "${ONNXRUNTIME_ROOT:-}" ] || scripts/onnxruntime_headers.sh .deps/onnxruntime
inputs_digest >".deps/stamp-$level"
say "level '$level' ready after $((SECONDS - started)) s"
