#!/usr/bin/env bash
# reader_quality.sh PROGRAM BOOK FOLDER [THREADS]: makes the tables of the trained reader in docs/quality.md anew.
#
# BOOK is a text that the reader was not trained on (see resources/models/READER.md). Runs `epitome eval` into FOLDER and puts
# the tables between the marks. Takes some five hours on one core; started again it goes on where it stopped.
set -eu
program=$1
book=$2
folder=$3
threads=${4:-1}
root=$(cd "$(dirname "$0")/../.." && pwd)
page=$root/docs/quality.md
tasks=needle,multi-key,multi-value,passkey,quote,absent,keyword
model=reader
questions=10

# evaluate NAME ARGUMENTS...: into FOLDER/NAME
evaluate() {
    name=$1
    shift
    mkdir -p "$folder/$name"
    "$program" eval --quiet --threads "$threads" --model "$root/resources/models/$model.gguf" --corpus "$book" \
        --tasks "$tasks" --questions "$questions" --out "$folder/$name" --resume "$@" > /dev/null
}

evaluate window --lengths 3900 --documents 20 --keep 0.25 --methods full,kvzip,parallel-windows
evaluate exact --lengths 3900 --documents 20 --store f16 --keep 0.25 --methods full
evaluate beyond --lengths 8000,16000 --documents 10 --methods parallel-windows
evaluate beyond --lengths 64000 --documents 2 --methods parallel-windows
evaluate two --lengths 8000 --documents 10 --methods parallel-windows --set best=2
evaluate all --lengths 8000,16000 --documents 2 --methods parallel-windows --set best=0
evaluate window --lengths 3900 --documents 20 --keep 0.25,0.15 --methods kvzip-head,duo-attention
model=reader-beacon
evaluate beacons --lengths 3900 --documents 20 --keep 0.5,0.25,0.125 --methods full,kvzip,activation-beacon
questions=2
evaluate beacons-short --lengths 1000 --documents 100 --keep 0.5,0.25,0.125 --methods full,kvzip,activation-beacon
model=reader
questions=10
evaluate stretched --lengths 8000 --documents 20 --methods full,gemfilter,quest,minference,pod,cla --set rope=yarn
evaluate stretched --lengths 16000 --documents 2 --methods full,gemfilter,quest,minference,pod,cla --set rope=yarn
evaluate window --lengths 3900 --documents 20 --methods gemfilter,quest,minference,pod,cla
for methods in kvzip kvzip-head,duo-attention expected-attention,snapkv,pyramidkv,tova keydiff,knorm,random \
    streaming-llm,lm-infinite,window,llmlingua observed-attention,h2o compactor,kvzip-plus; do
    evaluate stretched --lengths 8000 --documents 20 --keep 0.5,0.25,0.1,0.05 --methods "$methods" --set rope=yarn
    evaluate stretched --lengths 16000 --documents 2 --keep 0.25 --methods "$methods" --set rope=yarn
    evaluate window --lengths 3900 --documents 20 --keep 0.5,0.25,0.1,0.05 --methods "$methods"
done
tasks=needle
evaluate homer --lengths 16000 --documents 10 --keep 0.25 --methods homer --with-question --set pool=16 --set carry=1 --set samples=0

for name in window exact beyond stretched homer two all beacons beacons-short; do
    sed 's/^## /#### /' "$folder/$name/table.md"
    echo
done > "$folder/tables.md"
awk -v table="$folder/tables.md" '
  /<!-- tables of the trained reader -->/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
  /<!-- end of the tables of the trained reader -->/ { skip = 0 }
  !skip { print }' "$page" > "$folder/quality.md"
cp "$folder/quality.md" "$page"
