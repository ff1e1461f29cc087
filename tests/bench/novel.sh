#!/usr/bin/env bash
# novel.sh PROGRAM BOOK QUESTION...: what a whole book costs where nobody chooses a model. Imports BOOK into an empty library,
# prepares it and asks each question in a process of its own. Prints the words, the seconds of preparing, and for each question the
# answer, the seconds to its first word and those of the whole process, in which the stored context is loaded, too.
set -euo pipefail
program=$1
book=$2
shift 2
library=$(mktemp -d)
trap 'rm -rf -- "$library"' EXIT
cores=$(nproc)

field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1; }
seconds() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b - a }'; }

id=$("$program" import --json --data-dir "$library" "$book" | field id)
echo "$(wc -w < "$book") words, $cores cores"
begun=$(date +%s.%N)
"$program" prepare --quiet --data-dir "$library" "$id" | head -n 1
echo "prepared in $(seconds "$begun" "$(date +%s.%N)") s, importing not counted"
du -sh "$library" | awk '{ print "the library takes " $1 }'
for question in "$@"; do
    begun=$(date +%s.%N)
    said=$("$program" ask --json --data-dir "$library" --max-tokens 60 "$id" "$question")
    all=$(seconds "$begun" "$(date +%s.%N)")
    echo
    echo "$question"
    echo "  $(sed -n 's/.*"answer": "\(.*\)",\{0,1\}$/\1/p' <<< "$said")"
    echo "  first word after $(field first_token_seconds <<< "$said") s, whole process $all s"
done
