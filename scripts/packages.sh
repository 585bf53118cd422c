#!/usr/bin/env bash
# Both Debian packages of this machine's kind, and SHA256SUMS, into out/packages: scripts/packages.sh [-DOPTION=VALUE...]
#
# The options are CMake's, on top of the preset `package`, which says where the packages expect SDK libraries. Nothing is
# kept of those of an earlier run, and what scripts/check_packages.py refuses gets no further than build. SKUA_SETUP_SYSTEM=no: what building needs is there already (another distribution).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

[ "${SKUA_SETUP_SYSTEM:-yes}" = no ] || scripts/setup.sh lanes
for tool in dpkg-deb dpkg-shlibdeps file; do
  command -v "$tool" >/dev/null || {
    echo "packages: $tool: not found; install the Debian packages dpkg-dev and file" >&2
    exit 1
  }
done
jobs=$(scripts/jobs.sh)
version=$(scripts/source_version.sh)  # an installed package says what it was made of
# Times of files within the packages: two builds of one commit are equal.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CMakeLists.txt)}

rm -rf out/packages build/package/CMakeCache.txt
cmake --preset package "-DSKUA_SOURCE_VERSION=${version%% *}" "$@"
cmake --build --preset package --parallel "$jobs"
cmake --build --preset package --target packages
made=build/package/packages
(cd "$made" && sha256sum ./*.deb | sed 's, \./, ,' >SHA256SUMS)
python3 scripts/check_packages.py "$made"
mkdir -p out/packages
cp "$made"/*.deb "$made"/SHA256SUMS out/packages/
cat out/packages/SHA256SUMS
