#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

installPackages
# Tests that compare with pdftotext say so where it is missing, and pass.
if command -v dpkg-query >/dev/null && ! command -v pdftotext >/dev/null; then
    (aptGet install --yes --no-install-recommends poppler-utils) ||
        say "poppler-utils could not be installed: page and word counts of PDF books are not compared."
fi
buildTargets

# Window tests draw into memory, so no display is needed.
export QT_QPA_PLATFORM=offscreen
say "Running every test."
cd -- "$project"
ctest --preset release --output-on-failure
