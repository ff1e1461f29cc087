#!/usr/bin/env bash
# novel.sh PROGRAM BOOK QUESTION...: what a whole book costs where nobody chooses a model. Imports BOOK into an empty library,
# prepares it and asks each question in a process of its own. Prints the words, the seconds of preparing, and for each question the
# answer, the seconds to its first word and those of the whole process, in which the stored context is loaded, too.
#
# With OTHER=PROGRAM in the environment each question is also put to that program, in turn, ROUNDS times (once if not set), which
# shows what a change brings on a machine whose speed changes.
set -euo pipefail
program=$1
book=$2
shift 2
programs=("$program" ${OTHER:+"$OTHER"})
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
    echo
    echo "$question"
    for _ in $(seq "${ROUNDS:-1}"); do
        for each in "${programs[@]}"; do
            begun=$(date +%s.%N)
            said=$("$each" ask --json --data-dir "$library" --max-tokens 60 "$id" "$question")
            all=$(seconds "$begun" "$(date +%s.%N)")
            [ ${#programs[@]} = 1 ] || echo "  $each"
            echo "  $(sed -n 's/.*"answer": "\(.*\)",\{0,1\}$/\1/p' <<< "$said")"
            printf '  first word after %.2f s, %.0f tokens/s, whole process %s s\n' "$(field first_token_seconds <<< "$said")" \
                "$(field tokens_per_second <<< "$said")" "$all"
        done
    done
done
