#!/usr/bin/env bash
# quality_table.sh PROGRAM FOLDER: makes the table of docs/quality.md anew.
#
# Runs `epitome eval` at all lengths into FOLDER and puts the table between the marks in
# docs/quality.md. Takes three hours on one core; started again it goes on where it stopped. Short
# documents are read with every query-agnostic method, long ones not with those that drop tokens
# while they read or answer, or answer everything anyway.
set -eu
program=$1
folder=$2
page=$(dirname "$0")/../../docs/quality.md
evaluate() { "$program" eval --out "$folder" --resume "$@" > /dev/null; }

mkdir -p "$folder"
evaluate --lengths 4096 --documents 3 --keep 0.5,0.25,0.1
evaluate --lengths 16384 --documents 1 --keep 0.5,0.25,0.1
evaluate --lengths 32768,65536,128000 --documents 1 --keep 0.5,0.25,0.1 \
  --methods full,kvzip,kvzip-plus,kvzip-head,duo-attention,keydiff,expected-attention,compactor,observed-attention,knorm,random,streaming-llm

awk -v table="$folder/table.md" '
  /<!-- table -->/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
  /<!-- end of the table -->/ { skip = 0 }
  !skip { print }' "$page" > "$folder/quality.md"
cp "$folder/quality.md" "$page"
cp "$folder/results.csv" "$(dirname "$page")/quality.csv"
