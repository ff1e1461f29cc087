#!/usr/bin/env bash
# Installs what is missing, builds Epitome and does the main job once:
# with a display it opens the window on the handbook, without one it imports, prepares and asks in the terminal.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

installPackages
buildTargets epitome handbook

handbook="$build/resources/handbook.pdf"
epitome="$(find "$build" -name epitome -type f -perm -u+x -print -quit)"
[ -n "$epitome" ] || fail "the build made no program named epitome in $build"
[ -s "$handbook" ] || fail "the build made no handbook at $handbook"

if [ -n "${DISPLAY:-}" ] || [ -n "${WAYLAND_DISPLAY:-}" ]; then
    say "Opening the window on the handbook."
    exec "$epitome" "$handbook"
fi

say "There is no display, so the same job runs in the terminal."
exec "$project/installer/terminal_job.sh" "$epitome" "$handbook"
