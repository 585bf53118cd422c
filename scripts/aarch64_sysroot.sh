#!/usr/bin/env bash
# What preset aarch64 builds against and runs with, below .deps/aarch64: scripts/aarch64_sysroot.sh
#
#   sysroot/      Debian's arm64 libraries: those that levels build and test of scripts/debian-packages.txt name, and those of its
#                 level sysroot, with what they depend on; and a /proc/cpuinfo for qemu
#   onnxruntime/  ONNX Runtime's library for aarch64, of the version of requirements.txt; its headers are those of the machine's own
#
# Idempotent, and quick when nothing is to be done. Apt runs with a state of its own, over this machine's sources and keys; the
# machine's apt, its dpkg and their architectures are not changed, and nothing is installed: packages are unpacked, no script of
# theirs runs.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "aarch64: $*" >&2; }
fail() { echo "aarch64: error: $*" >&2; exit 1; }

dir=$PWD/.deps/aarch64
headers=${ONNXRUNTIME_ROOT:-$PWD/.deps/onnxruntime}/include
[ ! -d "$headers/onnxruntime" ] || headers=$headers/onnxruntime

# Lines "name prefix": libraries only, for compilers and tools are this machine's.
wanted_packages() {
  awk '!/^#/ && NF == 3 && ($1 == "sysroot" || ($1 ~ /^(build|test)$/ && $2 ~ /^(lib|nlohmann).*-dev$/)) { print $2, $3 }' \
    scripts/debian-packages.txt
}

onnxruntime_pin() { sed -n 's/^onnxruntime==//p' requirements.txt; }

# A digest of everything that decides what is below .deps/aarch64; equal digest and files in place: nothing to do.
inputs_digest() {
  { cat scripts/aarch64_sysroot.sh; wanted_packages; onnxruntime_pin; cat "$headers"/*.h; } | sha256sum | cut -d' ' -f1
}

in_place() {
  [ "$(cat "$dir/stamp" 2>/dev/null)" = "$(inputs_digest)" ] &&
    [ -f "$dir/sysroot/usr/lib/aarch64-linux-gnu/libcrypto.so" ] && [ -f "$dir/onnxruntime/lib/libonnxruntime.so.$(onnxruntime_pin)" ]
}

# Sets $apt: apt-get's options for a machine that has arm64 alone, and nothing installed.
use_own_state() {
  mkdir -p "$1"/state/lists/partial "$1"/cache/archives/partial
  : >"$1/state/status"
  apt=(-qq -o "Dir::State=$1/state" -o "Dir::State::status=$1/state/status" -o "Dir::Cache=$1/cache"
       -o Dir::Etc::preferencesparts=/dev/null -o APT::Architecture=arm64 -o APT::Architectures::=arm64
       -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=2)
}

# The version that apt would take of each wanted package must begin as the list says.
check_versions() {
  local name prefix version
  while read -r name prefix; do
    version=$(apt-cache "${apt[@]}" policy "$name" | sed -nE '/\(none\)/d; s/^ *Candidate: ([0-9]+:)?//p')
    [ -n "$version" ] || fail "Debian package $name is not offered for arm64 by this machine's package sources"
    case $version in
      "$prefix"*) ;;
      *) fail "Debian package $name for arm64: expected version $prefix*, this machine's sources offer $version. The project is" \
              "pinned to Debian 12 (scripts/debian-packages.txt)" ;;
    esac
  done < <(wanted_packages)
}

unpack_packages() {
  local work=$1 names deb
  use_own_state "$work"
  names=$(wanted_packages | cut -d' ' -f1)
  say "reading the arm64 lists of this machine's package sources"
  apt-get "${apt[@]}" update >&2 || fail 'could not read the lists of arm64 packages'
  check_versions
  # shellcheck disable=SC2086
  apt-get "${apt[@]}" install -y --download-only --no-install-recommends $names >&2 ||
    fail "could not fetch the arm64 packages of scripts/debian-packages.txt and what they depend on"
  rm -rf "$dir/sysroot"
  mkdir -p "$dir/sysroot"
  for deb in "$work"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$dir/sysroot"; done
  say "unpacked $(ls "$work"/cache/archives/*.deb | wc -l) arm64 packages"
}

# Links of packages name absolute places of the machine they are installed on; here those are another machine's.
mend_links() {
  local link target
  while read -r link; do
    target=$(readlink "$link")
    ln -sfnr "$dir/sysroot$target" "$link"
  done < <(find "$dir/sysroot" -type l -lname '/*')
}

# qemu 7.2 shows a program the /proc/cpuinfo of this machine, an x86 one's, which crashes some releases of ONNX Runtime; of what
# lies below its -L folder it shows that instead. The features that Linux names of a Cortex-A78AE, the processor of an Orin.
place_cpuinfo() {
  local core
  mkdir -p "$dir/sysroot/proc"
  for core in 0 1; do
    printf '%s\t: %s\n' processor "$core" BogoMIPS 62.50 Features \
      'fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp uscat ilrcpc flagm' \
      'CPU implementer' 0x41 'CPU architecture' 8 'CPU variant' 0x0 'CPU part' 0xd42 'CPU revision' 1
    echo
  done >"$dir/sysroot/proc/cpuinfo"
}

place_onnxruntime() {
  local work=$1 version into=$dir/onnxruntime
  version=$(onnxruntime_pin)
  [ -f "$headers/onnxruntime_c_api.h" ] || fail "no ONNX Runtime headers in $headers; run scripts/setup.sh build"
  say "fetching ONNX Runtime $version for aarch64"
  .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$work/wheel" \
    --platform manylinux_2_28_aarch64 --python-version 3.11 "onnxruntime==$version" >&2 ||
    fail "the package index does not offer onnxruntime $version for aarch64"
  rm -rf "$into"
  mkdir -p "$into/lib"
  .venv/bin/python -m zipfile -e "$work"/wheel/onnxruntime-*.whl "$work/unpacked"
  mv "$work/unpacked/onnxruntime/capi/libonnxruntime.so.$version" "$into/lib/"
  cp -RLp "$headers" "$into/include"
}

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9  # one at a time in this tree
in_place && exit 0
started=$SECONDS
rm -f "$dir/stamp"
work=$(mktemp -d "$dir/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
unpack_packages "$work"
mend_links
place_cpuinfo
place_onnxruntime "$work"
inputs_digest >"$dir/stamp"
say "ready after $((SECONDS - started)) s"
