#!/usr/bin/env bash
# How many compilers this machine runs at a time: scripts/jobs.sh [MEMINFO [CORES]]
#
# One for each core, but three with 8 GB: a source over libtorch takes 0.95 GB (x86-64, g++ 12, preset package), and a Jetson's
# desktop, GPU and file cache live off the same memory. CMAKE_BUILD_PARALLEL_LEVEL says it otherwise.
set -euo pipefail

meminfo=${1:-/proc/meminfo} cores=${2:-$(nproc)}
if [ -n "${CMAKE_BUILD_PARALLEL_LEVEL:-}" ]; then
  echo "$CMAKE_BUILD_PARALLEL_LEVEL"
  exit
fi
total_kib=$(awk '/^MemTotal: +[0-9]+ kB/ { print $2 }' "$meminfo")
[ -n "$total_kib" ] || { echo "jobs: $meminfo: expected a line MemTotal, found none" >&2; exit 1; }
fit=$((total_kib / (2400 * 1024)))  # 8 GB are 7.3 to 7.8 GiB to the kernel
jobs=$((fit < cores ? fit : cores))
echo $((jobs < 1 ? 1 : jobs))
