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
work="$(mktemp -d)"
trap 'rm -rf -- "$work"' EXIT

# Progress overwrites its line on a terminal; in a log it would be a line each time.
quiet=()
[ -t 2 ] || quiet=(--quiet)

say "" "1. Import the handbook"
"$epitome" import "${quiet[@]}" --data-dir "$work" "$handbook"

say "" "2. Prepare it: the model reads it once"
"$epitome" prepare "${quiet[@]}" --data-dir "$work" 1
context="$("$epitome" contexts --data-dir "$work" | sed -n '2s/ .*//p')"

say "" "3. What was kept, and what it cost in memory"
"$epitome" inspect --data-dir "$work" "$context"

# Each question is a new process: what it knows comes from the store and nothing is read again.
# The constructed reader continues a quotation, so the questions quote the beginning of a sentence.
step=4
for question in \
    "The reserve file has a size of" \
    "The tide table of the harbour lists high water at"; do
    say "" "$step. Ask in a new process: $question"
    "$epitome" ask --data-dir "$work" --max-tokens 48 1 "$question"
    step=$((step + 1))
done

say "" "Everything above was kept in a temporary folder and is removed now."
