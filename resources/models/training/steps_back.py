"""Makes the heads that look one to four rows back unmistakable over more than 100,000 rows.

    python steps_back.py BOOKS reader.gguf checkpoint.pt

The four query heads of layer 0 find the row so many places back by the turns of RoPE alone: each pair of a head adds a
cosine of the distance, and the sum is largest where all of them meet. Training used eight of the twelve pairs that turn,
whose slowest comes round every 128 rows. All eight nearly meet again 4,520 and 10,073 rows back, which no row of 4,096 tokens
ever showed: there a document's rows took what stands thousands of rows away for what stands before them. This gives the four
slower pairs (one turn in 198 to 725 rows), which layer 0 hardly used, a part in the sum, the same for every token, so that
nothing else competes. Nothing is trained, and all other weights stay.
"""

import argparse
import math
from pathlib import Path

import torch

import conversations
import curriculum
import documents
import export
from model import Reader

USED, ADDED = slice(4, 8), range(8, 12)  # pairs: whose weight the others get; those that get it
FARTHEST = 131072  # rows


@torch.no_grad()
def inputs(model: Reader, library, rows: int) -> torch.Tensor:
    """What the attention of layer 0 gets for the tokens of some rows, (n, width)."""
    encoder = conversations.Encoder()
    recipe = conversations.Recipe(model.shape.context, curriculum.OPENINGS)
    ids = torch.from_numpy(conversations.make_batch(library, encoder, 78, 0, recipe, rows)[0])
    return model.layers[0].attention_norm(model.embedding(ids)).flatten(0, 1)


def constant(seen: torch.Tensor) -> torch.Tensor:
    """w (width) with seen @ w close to 1 for every row, by ridge regression."""
    seen = seen.double()
    ridge = 1e-3 * len(seen) * torch.eye(seen.shape[1], dtype=torch.float64)
    return torch.linalg.solve(seen.T @ seen + ridge, seen.sum(0)).float()


def pairs(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """A view (heads, pairs, 2, width) of a projection's weight."""
    return weight.view(heads, weight.shape[0] // heads // 2, 2, -1)


@torch.no_grad()
def sharpen(model: Reader, seen: torch.Tensor) -> None:
    shape, attention = model.shape, model.layers[0].attention
    queries, keys = pairs(attention.q.weight, shape.heads), pairs(attention.k.weight, shape.kv_heads)
    every, mean = constant(seen), seen.mean(0)
    frequencies = shape.frequencies()
    key_size = [(keys[head, USED] @ mean).norm(dim=-1).mean() for head in range(shape.kv_heads)]
    query_size = [(queries[head, USED] @ mean).norm(dim=-1).mean() for head in range(shape.heads)]
    for pair in ADDED:
        for head in range(shape.kv_heads):
            keys[head, pair, 0], keys[head, pair, 1] = every * key_size[head], 0
        for head in range(shape.heads):
            # The query is turned back by as much as `head + 1` rows turn it, so that the cosine is 1 there.
            angle = -float(frequencies[pair]) * (head + 1)
            queries[head, pair, 0] = every * query_size[head] * math.cos(angle)
            queries[head, pair, 1] = every * query_size[head] * math.sin(angle)


@torch.no_grad()
def rivals(model: Reader, seen: torch.Tensor) -> list[tuple[float, int, float]]:
    """For each query head: the logit at its own distance, the distance beyond 64 rows whose logit is the next largest, and
    that logit. Of the mean query and key, by RoPE alone."""
    shape, attention = model.shape, model.layers[0].attention
    mean = seen.mean(0)
    queries = torch.view_as_complex((pairs(attention.q.weight, shape.heads)[:, : shape.rotated] @ mean).contiguous())
    keys = torch.view_as_complex((pairs(attention.k.weight, shape.kv_heads)[:, : shape.rotated] @ mean).contiguous())
    angles = torch.arange(FARTHEST, dtype=torch.float64)[:, None] * shape.frequencies()[: shape.rotated]
    found = []
    for head in range(shape.heads):
        product = queries[head].conj() * keys[head // (shape.heads // shape.kv_heads)] / math.sqrt(shape.head_dim)
        logits = angles.cos().float() @ product.real + angles.sin().float() @ product.imag
        farthest = int(logits[64:].argmax()) + 64
        found.append((float(logits[head + 1]), farthest, float(logits[farthest])))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("reader", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    options = parser.parse_args()
    library = documents.load_library(options.books, False, options.cache)
    model = export.load(options.reader)
    seen = inputs(model, library, 8)
    before = rivals(model, seen)
    sharpen(model, seen)
    print("head\trows back\tlogit there\tnext rival\tits logit\tbefore\tits logit")
    for head, (old, new) in enumerate(zip(before, rivals(model, seen))):
        print(f"{head}\t{head + 1}\t{new[0]:.0f}\t{new[1]}\t{new[2]:.0f}\t{old[1]}\t{old[2]:.0f} of {old[0]:.0f}")
    torch.save({"shape": model.shape.dictionary(), "model": model.state_dict(), "step": 0}, options.checkpoint)


if __name__ == "__main__":
    main()
