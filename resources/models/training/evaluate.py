"""Scores a reader on the held-back books: exact answers by skill and length.

    python evaluate.py BOOKS MODEL [--lengths 256 1024] [--answers 100]

An answer counts as exact if every one of its tokens, the end mark included, has the highest logit given the right tokens
before it; greedy decoding then says exactly this answer. Earlier turns of a row hold the right answers.
"""

import argparse
import math
import random
from collections import defaultdict
from pathlib import Path

import torch

import conversations
import documents
import export
import initial
from model import Reader, Shape

SHARES = {"continue": 1, "fact": 1, "blank": 1, "quote": 1, "section": 1, "absent": 1}


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in percent."""
    z, share = 1.96, right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return 100 * (middle - half), 100 * (middle + half)


@torch.no_grad()
def score(model, library, length: int, wanted: int, seed: int, questions: int):
    """skill -> [exact, first token right, count]; at least `wanted` answers of each skill where the text has room."""
    encoder = conversations.Encoder()
    recipe = conversations.Recipe(
        length, SHARES, random_share=0.0, document_share=1 - 40 * questions / length, cut_share=0.0
    )
    counts = defaultdict(lambda: [0, 0, 0])
    said_absent = [0, 0]  # rightly, in all
    for row in range(40 * wanted):
        rng = random.Random(f"evaluation {seed} {length} {row}")
        ids, _, answers = conversations.make_row(library, encoder, rng, recipe)
        if all(counts[name][2] >= wanted for name, *_ in answers):
            if all(counts[name][2] >= wanted for name in SHARES):
                break
            continue
        ids = torch.tensor([ids])
        hidden = model.hidden(ids)[0]
        for name, first, end in answers:
            best = model.logits(hidden[first - 1 : end - 1]).argmax(-1)
            right = best == ids[0, first:end]
            counts[name][0] += bool(right.all())
            counts[name][1] += bool(right[0])
            counts[name][2] += 1
            if encoder.tokenizer.decode([int(best[0])]) == "That":
                said_absent[0] += name == "absent"
                said_absent[1] += 1
    return counts, said_absent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("model", type=Path, help="checkpoint.pt, a GGUF file, or start for the weights before training")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 512, 1024, 2048, 4096])
    parser.add_argument("--answers", type=int, default=100)
    parser.add_argument("--questions", type=float, default=4, help="of a row, roughly")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    library = documents.load_library(options.books, True, options.cache)
    if str(options.model) == "start":
        model = Reader(Shape())
        initial.start(model, 1)
    else:
        model = export.load(options.model)
    print("length\tskill\texact %\t95 % interval\tfirst token %\tanswers")
    for length in options.lengths:
        counts, absent = score(model, library, length, options.answers, options.seed, options.questions)
        for name, (exact, first, count) in sorted(counts.items()):
            low, high = interval(exact, count)
            print(f"{length}\t{name}\t{100 * exact / count:.1f}\t{low:.0f} to {high:.0f}\t{100 * first / count:.1f}\t{count}")
        if absent[1]:
            print(f"{length}\tprecision of \"not in this document\"\t{100 * absent[0] / absent[1]:.1f}\t\t\t{absent[1]}", flush=True)


if __name__ == "__main__":
    main()
