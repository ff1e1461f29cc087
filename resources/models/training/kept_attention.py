"""How much of what the answers look at does each way of choosing keep? Evidence for docs/quality.md.

    python kept_attention.py BOOKS reader.gguf [--length 1024] [--rows 20] [--keep 0.25]

Reads rows of held-back books. A row's document is compressed in thought; then the rows that write the answers attend to it.
Printed is the share of their attention to document tokens behind the first four that falls on kept ones, averaged over the
query heads and weighted by that attention, so heads that look elsewhere hardly count. Ways of choosing:

  kvzip               the highest weight that a token gets from rows that repeat the document, all heads ranked together
  kvzip, each head    the same scores, every head keeps equally many
  expected-attention  queries taken as a normal distribution with the document's mean and covariance (selection.md 3.13)
  expected, answers   the same formula, with the mean and covariance of the very rows that will look (which nobody can know)
  snapkv              the mean weight from the document's last 32 rows
  streaming           the last tokens
  random
"""

import argparse
import math
import random
from collections import defaultdict
from pathlib import Path

import torch

import conversations
import documents
import evaluate
import export
from model import rotate, rotation

SINKS = 4
HORIZON = 512
VOTERS = 32


class Row:
    """Queries, keys and values of all layers for a row of tokens: (heads, positions, head_dim) each."""

    def __init__(self, model, ids: list[int]):
        shape = self.shape = model.shape
        self.length = len(ids)
        cos, sin = rotation(shape, torch.arange(len(ids)))
        x = model.embedding(torch.tensor([ids]))
        self.plain, self.queries, self.keys, self.values = [], [], [], []
        for layer in model.layers:
            attention, normed = layer.attention, layer.attention_norm(x)
            plain = attention.heads_of(attention.q(normed), shape.heads)
            keys = attention.heads_of(attention.k(normed), shape.kv_heads)
            self.plain.append(plain[0])
            self.queries.append(rotate(plain, cos, sin)[0])
            self.keys.append(rotate(keys, cos, sin)[0])
            self.values.append(attention.heads_of(attention.v(normed), shape.kv_heads)[0])
            x = layer(x, cos, sin)

    def attention(self, layer: int, rows: torch.Tensor, end: int) -> torch.Tensor:
        """Weights of the given rows, (heads, rows, end): of tokens before `end`, normalised over all that a row sees."""
        group = self.shape.heads // self.shape.kv_heads
        keys = self.keys[layer].repeat_interleave(group, 0)
        scores = self.queries[layer][:, rows] @ keys.transpose(-1, -2) / math.sqrt(self.shape.head_dim)
        unseen = torch.arange(self.length)[None, :] > rows[:, None]
        return scores.masked_fill(unseen, -torch.inf).softmax(-1)[:, :, :end]


def expected(row: Row, layer: int, rows: torch.Tensor, end: int) -> torch.Tensor:
    """(kv_heads, end): selection.md 3.13 with the statistics of the given rows, eps 0."""
    shape = row.shape
    group, size = shape.heads // shape.kv_heads, shape.head_dim
    cos, sin = rotation(shape, torch.arange(end, end + HORIZON))
    turned = torch.stack([rotate(unit.expand(1, 1, HORIZON, size), cos, sin)[0, 0].mean(0) for unit in torch.eye(size)], 1)
    scores = []
    for head in range(shape.heads):
        queries = row.plain[layer][head, rows]
        mean = queries.mean(0)
        covariance = (queries - mean).T @ (queries - mean) / len(queries)
        mean, covariance = turned @ mean, turned @ covariance @ turned.T
        keys = row.keys[layer][head // group, :end]
        logits = keys @ mean / math.sqrt(size) + ((keys @ covariance) * keys).sum(-1) / (2 * size)
        logits[:SINKS] = -torch.inf
        scores.append(logits.softmax(-1))
    grouped = torch.stack(scores).unflatten(0, (shape.kv_heads, group)).mean(1)
    return grouped * row.values[layer][:, :end].norm(dim=-1)


def repeated(model, opening: list[int], encoder) -> list[torch.Tensor]:
    """[layer] (kv_heads, tokens): the highest weight from rows that repeat the opening."""
    request = conversations.question_ids(encoder, "Repeat the previous context exactly.", True)
    row = Row(model, opening + request + opening[2:])
    rows = torch.arange(len(opening) + len(request), row.length)
    group = model.shape.heads // model.shape.kv_heads
    weights = [row.attention(layer, rows, len(opening)) for layer in range(model.shape.layers)]
    return [each.amax(1).unflatten(0, (model.shape.kv_heads, group)).amax(1) for each in weights]


def best_in_each_head(scores: torch.Tensor, keep: float) -> torch.Tensor:
    scores = scores.clone()
    scores[:, :SINKS] = torch.inf
    kept = torch.zeros_like(scores, dtype=torch.bool)
    return kept.scatter_(1, scores.topk(max(SINKS, round(keep * scores.shape[1])), dim=1).indices, True)


def choices(model, row: Row, repeats, rows: torch.Tensor, end: int, keep: float, generator) -> dict:
    """way -> [layer] (kv_heads, end), true where kept"""
    layers = range(model.shape.layers)
    group = model.shape.heads // model.shape.kv_heads
    document, last = torch.arange(SINKS, end), torch.arange(end - VOTERS, end)
    together = torch.stack(repeats)
    together[:, :, :SINKS] = torch.inf
    bound = together.flatten().topk(round(keep * together.numel())).values[-1]
    votes = [row.attention(layer, last, end).mean(1).unflatten(0, (-1, group)).mean(1) for layer in layers]
    scores = {
        "kvzip, each head": repeats,
        "expected-attention": [expected(row, layer, document, end) for layer in layers],
        "expected, answers": [expected(row, layer, rows, end) for layer in layers],
        "snapkv": votes,
        "streaming": [torch.arange(float(end)).expand(model.shape.kv_heads, end) for _ in layers],
        "random": [torch.rand(model.shape.kv_heads, end, generator=generator) for _ in layers],
    }
    kept = {name: [best_in_each_head(each, keep) for each in of_layers] for name, of_layers in scores.items()}
    return {"kvzip": list(together >= bound), **kept}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("books", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--keep", type=float, default=0.25)
    parser.add_argument("--skills", nargs="+", default=["fact", "continue", "quote"])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    library = documents.load_library(options.books, True, options.cache)
    model, encoder, generator = export.load(options.model), conversations.Encoder(), torch.Generator().manual_seed(1)
    group = model.shape.heads // model.shape.kv_heads
    for skill in options.skills:
        recipe = conversations.Recipe(
            options.length, {**{name: 1e-9 for name in evaluate.SHARES}, skill: 1}, random_share=0.0,
            document_share=1 - 160 / options.length, cut_share=0.0,
        )
        seen, all_of_it = defaultdict(float), 0.0
        for number in range(options.rows):
            rng = random.Random(f"kept {skill} {options.length} {number}")
            ids, _, answers = conversations.make_row(library, encoder, rng, recipe)
            answers = [(first, end) for name, first, end in answers if name == skill]
            if not answers:
                continue
            # The document ends where the last blank line before the first answer's question begins.
            blank = encoder.ids("\n\n")
            end = next(i for i in range(answers[0][0], 0, -1) if ids[i : i + len(blank)] == blank)
            row = Row(model, ids)
            rows = torch.cat([torch.arange(first - 1, last - 1) for first, last in answers])
            kept = choices(model, row, repeated(model, ids[:end], encoder), rows, end, options.keep, generator)
            for layer in range(model.shape.layers):
                weights = row.attention(layer, rows, end).unflatten(0, (-1, group)).sum((1, 2))
                weights[:, :SINKS] = 0
                all_of_it += weights.sum().item()
                for name, of_layers in kept.items():
                    seen[name] += (weights * of_layers[layer]).sum().item()
        for name, weight in seen.items():
            print(f"{skill}\t{name}\t{100 * weight / all_of_it:.1f} %", flush=True)


if __name__ == "__main__":
    main()
