#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

installPackages
buildTargets

# Window tests draw into memory, so no display is needed.
export QT_QPA_PLATFORM=offscreen
say "Running every test."
cd -- "$project"
ctest --preset release --output-on-failure
