#!/usr/bin/env bash
# Which commit this tree is: scripts/source_version.sh [FOLDER] prints two words, what a package's version ends in and the commit.
#
#   +git20261130120000.1a2b3c4d5e6f        1a2b3c4d5e6f...         by the commit's own time, UTC: a later one is a higher version
#   +git20261130120000.1a2b3c4d5e6f.dirty  1a2b3c4d5e6f...-dirty   files were changed or added since, and not committed
#   ~unknown                               unknown                 no repository of its own: an archive, a copy of the files
#
# The build id, which says what fits together, is not made of it: two commits of one interface fit.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

root=$(git rev-parse --show-toplevel 2>/dev/null) || root=''
if [ "$root" != "$(pwd -P)" ] || ! commit=$(git rev-parse --verify --quiet HEAD); then
  echo '~unknown unknown'
  exit
fi
when=$(TZ=UTC0 git log -1 --format=%cd --date=format-local:%Y%m%d%H%M%S)
changes=$(git status --porcelain)
echo "+git$when.${commit:0:12}${changes:+.dirty} $commit${changes:+-dirty}"
