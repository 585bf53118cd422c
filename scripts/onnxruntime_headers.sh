#!/usr/bin/env bash
# Puts ONNX Runtime's C headers into DIR/include: scripts/onnxruntime_headers.sh DIR
#
# They come from Debian 13's libonnxruntime-dev, fetched through a private apt root under DIR: its only source is
# this machine's own Debian mirror with the next suite's name, its index is checked against Debian's archive
# keys, and the package against the digest below. Nothing is installed; the machine's apt is not changed.
set -euo pipefail

suite=trixie
package=libonnxruntime-dev
version=1.21.0+dfsg-1
sha256=14f7d959d5deacbcf1504830d4189f91fc67382b399ed9ae9d3aa9c4050ced08

dir=${1:?usage: onnxruntime_headers.sh DIR}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
deb=$dir/${package}_${version}_amd64.deb  # headers only: the same for every architecture

say() { echo "setup: $*" >&2; }
fail() { echo "setup: error: $*" >&2; exit 1; }
digest_ok() { [ -f "$deb" ] && echo "$sha256  $deb" | sha256sum --check --status; }

# Address of this machine's Debian mirror: the first source that offers the running release itself.
mirror() {
  local codename
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  [ -n "$codename" ] || return 0
  {
    awk -v c="$codename" '
      tolower($1) == "uris:" { uri = $2 }
      tolower($1) == "suites:" { suite = 0; for (i = 2; i <= NF; i++) if ($i == c) suite = 1 }
      NF == 0 { if (uri && suite) print uri; uri = ""; suite = 0 }
      END { if (uri && suite) print uri }' /etc/apt/sources.list.d/*.sources 2>/dev/null || true
    sed -nE "s/^deb +(\[[^]]*\] +)?([^ ]+) +$codename +.*/\2/p" \
      /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true
  } | grep -E '/debian/?$' | head -n 1 || true
}

fetch() {
  local uri keyring root options
  uri=$(mirror)
  [ -n "$uri" ] || fail "found no Debian mirror in this machine's apt sources; unpack an official ONNX Runtime" \
                        "archive and set ONNXRUNTIME_ROOT to it"
  for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp} ''; do [ -f "$keyring" ] && break; done
  [ -n "$keyring" ] || fail 'no Debian archive keyring here (package debian-archive-keyring)'
  root=$(mktemp -d "$dir/apt.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$root'" EXIT
  mkdir -p "$root"/{state/lists/partial,cache/archives/partial,download}
  echo "deb [arch=amd64 signed-by=$keyring] $uri $suite main" >"$root/sources.list"
  options=(-qq -o "Dir::State=$root/state" -o "Dir::State::status=$root/state/status" -o "Dir::Cache=$root/cache"
           -o "Dir::Etc::sourcelist=$root/sources.list" -o Dir::Etc::sourceparts=/dev/null
           -o Dir::Etc::preferencesparts=/dev/null -o APT::Architecture=amd64 -o APT::Architectures::=amd64
           -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=2)
  : >"$root/state/status"
  say "fetching $package $version (headers of ONNX Runtime) from Debian $suite"
  apt-get "${options[@]}" update >&2 || fail "could not read Debian $suite from this machine's mirror"
  (cd "$root/download" && apt-get "${options[@]}" download "$package=$version" >&2) ||
    fail "Debian $suite does not offer $package $version (any more); set ONNXRUNTIME_ROOT instead"
  mv "$root"/download/*.deb "$deb"
}

digest_ok || fetch
digest_ok || fail "$deb: SHA-256 is $(sha256sum "$deb" | cut -d' ' -f1), expected $sha256; remove it and try again"
unpacked=$(mktemp -d "$dir/unpack.XXXXXX")
dpkg-deb -x "$deb" "$unpacked"
rm -rf "$dir/include"
mv "$unpacked/usr/include/onnxruntime" "$dir/include"
rm -rf "$unpacked"
