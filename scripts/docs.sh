#!/usr/bin/env bash
# The documentation as a site, out/site, without a warning: scripts/docs.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

scripts/setup.sh build
# Material announces its own end of support at each start; this is the switch that it names.
NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict
echo "out/site/index.html; with search: python3 -m http.server -d out/site"
