"""Gives a trained reader 32 more coordinates, which say what stands around a row, and lets it compare them when it quotes.

    python surroundings.py BOOKS reader.gguf checkpoint.pt

A third of the quotations that failed at 4,096 tokens did so behind four tokens or more that stand in two places
(failures.py): induction compares the last few tokens, and those were the same. So head 0 of layer 1, which had nothing to do,
now averages the tokens some ten (its first query head) and some twenty-five places back, rare ones above all, into the
new coordinates, and the head that quotes (0 of layer 3) adds how alike they are to what it compares. Everything else
stays as it was; training then bends it. The new coordinates are empty elsewhere, so nothing has to make room for them.
"""

import argparse
import dataclasses
import math
from pathlib import Path

import torch

import conversations
import curriculum
import documents
import export
import initial
from model import Reader, rotation

MORE = 32
GATHERS, QUOTES = 1, 3  # layers; head 0 of each


@torch.no_grad()
def samples(model: Reader, library, rows: int, length: int):
    """Token ids (n) of some rows, what the attention of layer GATHERS gets (n, width), and the root mean square of the
    residual stream before layer QUOTES."""
    encoder = conversations.Encoder()
    recipe = conversations.Recipe(length, curriculum.OPENINGS)
    ids = torch.from_numpy(conversations.make_batch(library, encoder, 77, 0, recipe, rows)[0])
    cos, sin = rotation(model.shape, torch.arange(length))
    x, seen = model.embedding(ids), None
    for index, layer in enumerate(model.layers[:QUOTES]):
        if index == GATHERS:
            seen = layer.attention_norm(x)
        x = layer(x, cos, sin)
    return ids.flatten(), seen.flatten(0, 1), x.pow(2).mean().sqrt().item()


def regression(inputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """w (width) with inputs @ w close to wanted, by ridge regression."""
    inputs, wanted = inputs.double(), wanted.double()
    ridge = 1e-3 * len(inputs) * torch.eye(inputs.shape[1], dtype=torch.float64)
    return torch.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ wanted).float()


@torch.no_grad()
def widened(old: Reader) -> Reader:
    """The same function with MORE coordinates that hold nothing."""
    width = old.shape.width
    new = Reader(dataclasses.replace(old.shape, width=width + MORE))
    smaller = math.sqrt(width / (width + MORE))  # RMSNorm's mean is over more coordinates
    for (name, to), (_, source) in zip(new.named_parameters(), old.named_parameters()):
        if to.dim() == 1:
            to.fill_(1.0)
            to[:width] = smaller * source
        else:
            to.zero_()
            to[: source.shape[0], : source.shape[1]] = source
    return new


@torch.no_grad()
def gather(model: Reader, starter, ids, seen, size: float) -> None:
    """Head 0 of layer GATHERS: an average over what stands before a row, of root mean square `size`."""
    width = seen.shape[1]
    attention, head = model.layers[GATHERS].attention, starter.size
    constant = regression(seen, torch.ones(len(seen)))
    counts = torch.bincount(ids, minlength=model.shape.vocabulary) + 1.0
    rarity = -counts[ids].log2()
    rare = regression(seen, (rarity - rarity.mean()) / rarity.std())
    for weight in (attention.k.weight[:head], attention.v.weight[:head], attention.q.weight[: 2 * head]):
        weight.zero_()
    attention.o.weight[:, : 2 * head] = 0
    turned, standing = starter.rows(0)
    attention.k.weight[turned.start : turned.stop : 2, :width] = constant
    attention.k.weight[standing.start, :width] = rare
    # Slow pairs alone make a wide average; the size of the query says how wide.
    for place, (distance, pairs, sharpness) in enumerate(((8, slice(5, 12), 7.0), (25, slice(8, 12), 16.0))):
        rows, rest = starter.rows(place)
        query = sharpness * starter.at_distance(distance, pairs)
        attention.q.weight[rows, :width] = query[:, None] * constant
        attention.q.weight[rest.start, :width] = 8.0 * constant
    values = torch.zeros(head, width)
    values[:, starter.token] = starter.random(head, starter.token.stop - starter.token.start)
    values -= (values @ seen.mean(0))[:, None] * constant  # what all tokens have in common tells nothing
    attention.v.weight[:head, :width] = values
    spread = (seen @ values.T).pow(2).mean().sqrt()
    for place in (0, 1):
        start = place * head + place * MORE
        # An average of some six to ten rare tokens is about a third of one, and there are two of them.
        attention.o.weight[width:, start : start + MORE] = (2.0 * size / spread) * torch.eye(MORE)


@torch.no_grad()
def compare(model: Reader, starter, gain: float) -> None:
    """Head 0 of layer QUOTES: keys and queries hold the new coordinates, too."""
    attention, width = model.layers[QUOTES].attention, model.shape.width - MORE
    mix = gain * starter.random(MORE, starter.standing).T
    for weight, heads in ((attention.k.weight, (0,)), (attention.q.weight, (0, 1))):
        for index in heads:
            weight[starter.rows(index)[1], width:] = mix


def surround(old: Reader, library, seed: int, gain: float) -> Reader:
    ids, seen, size = samples(old, library, 8, 1024)
    new, starter = widened(old), initial.Starter(old, seed)
    gather(new, starter, ids, seen, size)
    compare(new, starter, gain)
    return new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("model", type=Path, help="a GGUF file or checkpoint")
    parser.add_argument("output", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--gain", type=float, default=0.6, help="how much the new coordinates count")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    library = documents.load_library(options.books, False, options.cache)
    model = surround(export.load(options.model), library, options.seed, options.gain)
    torch.save({"shape": model.shape.dictionary(), "model": model.state_dict(), "step": 0}, options.output)


if __name__ == "__main__":
    main()
