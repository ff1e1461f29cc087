#!/usr/bin/env python3
"""Learns the merge list of the constructed reader's byte-level BPE vocabulary from plain text files.

    train_merges.py MERGES TEXT... > merges.txt

MERGES is the number of merges wanted. The result has one merge a line, in the order in which they
apply, in the usual byte-to-letter spelling of byte-level BPE (a space is "Ġ"). It holds letter
statistics only, no sentence of any text.

What may merge is restricted, so that token boundaries are where a reader expects them:
  - words, with one leading space, as usual;
  - one character above ASCII, with one leading space (quotation marks, dashes), so that such a
    character is one token and never joins its neighbour;
  - nothing else: digits, line feeds and runs of punctuation stay single bytes. The line feed is the
    end of a paragraph for the model and must always be a token of its own.
"""

import heapq
import sys
from collections import Counter, defaultdict


def byte_letters():
    """The printable letter that stands for each byte in byte-level BPE files."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in plain}
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(256 + len(letters) - len(plain))
    return letters


def pieces(text):
    """The mergeable pieces of a text: words and characters above ASCII, each with its space."""
    start = 0
    length = len(text)
    while start < length:
        end = start + 1 if text[start] == " " else start
        if end >= length:
            break
        if text[end].isalpha():
            while end < length and text[end].isalpha():
                end += 1
            yield text[start:end]
        elif ord(text[end]) > 127 and not text[end].isspace():
            end += 1
            yield text[start:end]
        else:
            end = start + 1
        start = end


def learn(counts, wanted):
    """Plain BPE: joins the most frequent neighbours, again and again; ties by the letters."""
    letters = byte_letters()
    words = [[letters[byte] for byte in piece.encode()] for piece in counts]
    weights = list(counts.values())
    pairs = Counter()
    where = defaultdict(set)
    for index, word in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += weights[index]
            where[pair].add(index)
    queue = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(queue)
    merges = []
    tokens = set(letters.values())
    while len(merges) < wanted and queue:
        count, pair = heapq.heappop(queue)
        if pairs[pair] != -count:
            if pairs[pair] > 0:
                heapq.heappush(queue, (-pairs[pair], pair))
            continue
        merges.append(pair)
        tokens.add(pair[0] + pair[1])
        touched = set()
        for index in list(where[pair]):
            word = words[index]
            for old in zip(word, word[1:]):
                pairs[old] -= weights[index]
                where[old].discard(index)
            joined = []
            at = 0
            while at < len(word):
                if at + 1 < len(word) and (word[at], word[at + 1]) == pair:
                    joined.append(word[at] + word[at + 1])
                    at += 2
                else:
                    joined.append(word[at])
                    at += 1
            words[index] = joined
            for new in zip(joined, joined[1:]):
                pairs[new] += weights[index]
                where[new].add(index)
                touched.add(new)
        for new in touched:
            heapq.heappush(queue, (-pairs[new], new))
    if len(tokens) != 256 + len(merges):
        raise SystemExit("two merges make the same token; change the number of merges")
    return merges


def main():
    counts = Counter()
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as file:
            counts.update(pieces(file.read()))
    frequent = {piece: count for piece, count in counts.items() if count >= 5}
    for left, right in learn(frequent, int(sys.argv[1])):
        print(left, right)


if __name__ == "__main__":
    main()
