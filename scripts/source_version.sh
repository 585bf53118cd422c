#!/usr/bin/env bash
# Which commit this tree is: scripts/source_version.sh [FOLDER] prints two words, what a package's version ends in and the commit.
#
#   +git20261130120000.1a2b3c4d5e6f        1a2b3c4d5e6f...         by the commit's own time, UTC: a later one is a higher version
#   +git20261130120000.1a2b3c4d5e6f.dirty  1a2b3c4d5e6f...-dirty   files were changed or added since, and not committed
#   ~unknown                               unknown                 no repository of its own: an archive, a copy of the files
#
# With a .git that git cannot read it is an error, exit status 1. The build id, which says what fits together, is not made of it:
# two commits of one interface fit.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"
export TZ=UTC0

if [ ! -e .git ]; then
  echo '~unknown unknown'
  exit
fi
failed() {
  echo "source_version: $PWD/.git is there, and $1; a package names its commit: mend that (git's own words stand above), or remove .git" \
    "where this is no more than a copy of the files" >&2
  exit 1
}
of_git() { git "$@" || failed "'git $*' fails"; }

root=$(of_git rev-parse --show-toplevel)
[ "$root" = "$(pwd -P)" ] || failed "git takes this for a part of $root"
commit=$(of_git rev-parse --verify HEAD)
when=$(of_git log -1 --format=%cd --date=format-local:%Y%m%d%H%M%S)
changes=$(of_git status --porcelain)
echo "+git$when.${commit:0:12}${changes:+.dirty} $commit${changes:+-dirty}"
