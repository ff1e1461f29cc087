#!/usr/bin/env bash
# terminal_job.sh PROGRAM HANDBOOK: the main job without a display. Imports the handbook, prepares it, and asks two
# questions, each in a process of its own, in a folder that is removed afterwards.
set -euo pipefail
epitome="$1"
handbook="$2"

say() { printf '%s\n' "$@"; }

work="$(mktemp -d)"
trap 'rm -rf -- "$work"' EXIT

# Progress overwrites its line on a terminal; in a log it would be a line each time.
quiet=()
[ -t 2 ] || quiet=(--quiet)

say "" "1. Import the handbook"
"$epitome" import "${quiet[@]}" --data-dir "$work" "$handbook"

say "" "2. Prepare it: the model reads it once"
"$epitome" prepare "${quiet[@]}" --data-dir "$work" 1
# Tables are laid out for people; what is read by a script comes from the JSON.
context="$("$epitome" contexts --json --data-dir "$work" | sed -n 's/.*"context": \([0-9]*\).*/\1/p')"

say "" "3. What was kept, and what it cost in memory"
"$epitome" inspect --data-dir "$work" "$context"

# Each question is a new process: what it knows comes from the store and nothing is read again.
# The reader that comes along answers by quoting: questions use words that stand in the text.
step=4
for question in \
    "Continue: “The reserve file has a size of”" \
    "What is said about Escape and Stop?"; do
    say "" "$step. Ask in a new process: $question"
    "$epitome" ask --data-dir "$work" --max-tokens 48 1 "$question"
    step=$((step + 1))
done

say "" "Everything above was kept in a temporary folder and is removed now."
