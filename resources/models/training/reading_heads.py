"""Which KV heads read the document from the questions: hides it, head by head, and counts right tokens of answers.

    python reading_heads.py BOOKS reader.gguf [--rows 24] [--length 384] [--like measured.heads --out ../reader.heads]

With --like, a file of the command head-table about the same model, a table with what was found is written: a head's score is
how many of a hundred tokens and of a hundred first tokens of answers hiding it costs, together. The program finds it beside
the model by its name (docs/file-formats.md).

Rows of questions and answers see nothing of the document in the heads that are hidden (layer 0, which looks back by single
rows, is left alone); the rows of the document itself see each other as ever.
"""

import argparse
import random
from pathlib import Path

import torch

import conversations
import documents
import export
from spread import SpreadReader

SKILLS = {"continue": 3, "fact": 3, "quote": 2, "blank": 1}


class HidingReader(SpreadReader):
    """Heads of `sees` see the document, the others nothing of it."""

    def __init__(self, reader, sees: set[tuple[int, int]]):
        super().__init__(reader, window=1)
        self.sees = sees

    def place_of(self, layer: int, head: int) -> int | None:
        return 0 if layer == 0 or (layer, head) in self.sees else None


@torch.no_grad()
def shares(reader, rows, sees) -> tuple[float, float]:
    """Right tokens, right first tokens."""
    hiding, right, first = HidingReader(reader, sees), [], []
    for ids, _, answers in rows:
        found = reader.logits(hiding.hidden(torch.tensor([ids]), [None]))[0].argmax(-1).tolist()
        for _, begin, end in answers:
            same = [found[i - 1] == ids[i] for i in range(begin, end)]
            right += same
            first.append(same[0])
    return sum(right) / len(right), sum(first) / len(first)


def write_table(path: Path, like: Path, reader, found: dict[str, tuple[float, float]]) -> None:
    """The lines that say what the table is about, from `like`, then a line for each layer. Layer 0 looks back by single rows
    and needs nothing from far away."""
    whole = sum(found["all"])
    lines = like.read_text(encoding="utf-8").splitlines()[:3]
    for layer in range(reader.shape.layers):
        names = (f"without {layer}.{head}" for head in range(reader.shape.kv_heads))
        lines.append("\t".join(f"{max(0.0, 100 * (whole - sum(found[name]))) if name in found else 0:.4g}" for name in names))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("reader", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--length", type=int, default=384)
    parser.add_argument("--only", nargs="*", default=[], help="LAYER.HEAD: also with these alone")
    parser.add_argument("--like", type=Path, help="a table of the command head-table about this model")
    parser.add_argument("--out", type=Path, help="with --like: the table to write")
    options = parser.parse_args()
    library = documents.load_library(options.books, True, options.cache)
    encoder, reader = conversations.Encoder(), export.load(options.reader)
    recipe = conversations.Recipe(options.length, SKILLS, random_share=0.2, text_weight=0.0, cut_share=0.2)
    rows = [conversations.make_row(library, encoder, random.Random(f"heads {row}"), recipe) for row in range(options.rows)]
    every = {(layer, head) for layer in range(1, reader.shape.layers) for head in range(reader.shape.kv_heads)}
    cases = {"all": every, "none": set()} | {f"without {layer}.{head}": every - {(layer, head)} for layer, head in sorted(every)}
    if options.only:
        cases["only " + " ".join(options.only)] = {tuple(map(int, each.split("."))) for each in options.only}
    found = {}
    for name, sees in cases.items():
        right, first = found[name] = shares(reader, rows, sees)
        print(f"{name}\t{100 * right:.1f}\t{100 * first:.1f}", flush=True)
    if options.like:
        write_table(options.out, options.like, reader, found)


if __name__ == "__main__":
    main()
