"""Prepares the reader for PoD's training (pod.py), in which layers stand in pairs and the second takes the first's logits
for distant keys.

    python pod_start.py BOOKS reader.gguf checkpoint.pt

Neighbouring layers of this reader do different things, so as it is, pairs answer nothing, and training first has to find out
what to move where. Only one head of the second layers reads distant tokens, the one that quotes (head 0 of layer 3), and
the head of layer 2 that it is paired with does hardly anything. So that one learns to be looked through: with its logits
for distant keys the quoting head shall attend as it does with its own. Head 1 of layer 0 learns the same for head 1 of layer
1, which looks for the beginning of its sentence. Both lose what they added themselves. Head 0 of layer 1, which decides next
to nothing, loses its output, and head 1 of layer 3, which reads the question, gets a constant for its own logits, which
outweighs what layer 2 has to say about distant keys.
"""

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import torch

import conversations
import curriculum
import documents
import export
from model import Reader, rotate, rotation
from pod import PodReader
from surroundings import regression

# Layers and KV heads.
LOOKED_THROUGH = ((2, 0), (0, 1))
NEEDLESS = (1, 0)
NEAR = (3, 1)
OUTWEIGHS = 20.0  # in units of the softmax
RECENT, SINKS = 256, 16


@dataclass
class Example:
    """Rows of a document, and how the head of the next layer attends from them: its 16 largest shares of each row."""

    seen: torch.Tensor  # by the layer that learns, (length, width)
    rows: torch.Tensor
    distant: torch.Tensor  # (rows, length): keys whose logits come from the layer that learns
    near: torch.Tensor  # (2, rows): log of the sum over the other keys, whose logits are its own
    keys: torch.Tensor  # (2, rows, 16): their places, as of the following
    shares: torch.Tensor
    logits: torch.Tensor


@torch.no_grad()
def seen_by(model: Reader, ids: torch.Tensor, layers: tuple[int, ...]) -> list[torch.Tensor]:
    """What the attention of each of the layers gets, (rows, length, width)."""
    cos, sin = rotation(model.shape, torch.arange(ids.shape[1]))
    x, seen = model.embedding(ids), []
    for index, layer in enumerate(model.layers[: max(layers) + 1]):
        if index in layers:
            seen.append(layer.attention_norm(x))
        x = layer(x, cos, sin)
    return seen


def logits(shape, seen, rows, query, key) -> torch.Tensor:
    """Of the given rows over all, (2, rows, length); one KV head and its two query heads."""
    cos, sin = rotation(shape, torch.arange(len(seen)))
    k = rotate((seen @ key.T)[None, None], cos, sin)[0, 0]
    q = (seen[rows] @ query.T).view(len(rows), 2, shape.head_dim).transpose(0, 1)
    return rotate(q[None], cos[rows], sin[rows])[0] @ k.T / shape.head_dim**0.5


def parts(attention, head: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The query and key rows of a KV head, which has two query heads."""
    end = (head + 1) * size
    return attention.q.weight[2 * head * size : 2 * end], attention.k.weight[head * size : end]


@torch.no_grad()
def make_example(model: Reader, library, encoder, head: int, owner: int, row: int, length: int):
    """An Example, and (what the learning layer sees, queries and keys of the next one) of every seventh row."""
    recipe = conversations.Recipe(length, curriculum.OPENINGS, document_share=0.7, cut_share=0.0)
    ids, weights, _ = conversations.make_row(library, encoder, random.Random(f"pod {row}"), recipe)
    seen, other = (each[0] for each in seen_by(model, torch.tensor([ids]), (owner, owner + 1)))
    query, key = parts(model.layers[owner + 1].attention, head, model.shape.head_dim)
    rows = torch.cat(((torch.tensor(weights) >= 1).nonzero()[:, 0], torch.arange(row % 11, length, 11)))
    own = logits(model.shape, other, rows, query, key)
    own = own.masked_fill(torch.arange(length) > rows[:, None], -torch.inf)
    distant = PodReader(model, 2, RECENT, SINKS).distant(length, "cpu")[rows]
    near = own.masked_fill(distant, -torch.inf).logsumexp(-1)
    best = own.softmax(-1).topk(16, dim=-1)
    example = Example(seen, rows, distant, near, best.indices, best.values, own.gather(-1, best.indices))
    return example, seen[::7], torch.cat((other[::7] @ query.T, other[::7] @ key.T), 1)


def cross_entropy(shape, example: Example, query, key) -> torch.Tensor:
    """Of the attention that the next layer's head pays with the logits of (query, key) for distant keys, from what it
    pays with its own."""
    told = logits(shape, example.seen, example.rows, query, key)
    whole = torch.logaddexp(told.masked_fill(~example.distant, -torch.inf).logsumexp(-1), example.near)
    is_distant = example.distant.expand(2, -1, -1).gather(-1, example.keys)
    right = torch.where(is_distant, told.gather(-1, example.keys), example.logits) - whole[..., None]
    return -(example.shares * right.masked_fill(example.shares < 1e-6, 0)).sum(-1).mean()


def learn(model: Reader, library, head: int, owner: int, options) -> None:
    """A head of layer `owner` learns to be looked through; what it added itself is taken away."""
    encoder, size = conversations.Encoder(), model.shape.head_dim
    made = [make_example(model, library, encoder, head, owner, row, options.length) for row in range(options.rows)]
    examples, inputs, wanted = zip(*made)
    both = regression(torch.cat(inputs), torch.cat(wanted)).T
    query, key = both[: 2 * size].clone().requires_grad_(), both[2 * size :].clone().requires_grad_()
    stepper = torch.optim.Adam([query, key], lr=2e-3)
    for step in range(options.steps):
        example = examples[step % len(examples)]
        loss = cross_entropy(model.shape, example, query, key)
        share = min(1.0, (step + 1) / 20, 1.5 * (options.steps - step) / options.steps)
        stepper.param_groups[0]["lr"] = 2e-3 * share
        loss.backward()
        stepper.step()
        stepper.zero_grad()
        if step % 100 == 0 or step + 1 == options.steps:
            least = -(example.shares * example.shares.clamp_min(1e-9).log()).sum(-1).mean()
            print(f"layer {owner}\t{step}\tcross entropy {loss.item():.3f}, at best {least.item():.3f}", flush=True)
    with torch.no_grad():
        for to, learned in zip(parts(model.layers[owner].attention, head, size), (query, key)):
            to.copy_(learned)
        silence(model, owner, head)


@torch.no_grad()
def silence(model: Reader, layer: int, head: int) -> None:
    size = model.shape.head_dim
    model.layers[layer].attention.o.weight[:, 2 * head * size : 2 * (head + 1) * size] = 0


@torch.no_grad()
def outweigh(model: Reader, layer: int, head: int, ids: torch.Tensor) -> None:
    """Adds OUTWEIGHS to the logits of a head, along the direction in which its keys differ least."""
    size, turned = model.shape.head_dim, 2 * model.shape.rotated
    seen = seen_by(model, ids, (layer,))[0].flatten(0, 1)
    constant = regression(seen, torch.ones(len(seen)))
    query, key = parts(model.layers[layer].attention, head, size)
    directions = torch.linalg.eigh((seen @ key[turned:].T).T.cov())[1]
    along = directions[:, 0] * (OUTWEIGHS * size**0.5) ** 0.5
    for standing in (key[turned:], query[turned:size], query[size + turned :]):
        standing += along[:, None] * constant


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("model", type=Path, help="a GGUF file or checkpoint")
    parser.add_argument("output", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    library = documents.load_library(options.books, False, options.cache)
    model = export.load(options.model)
    recipe = conversations.Recipe(1024, curriculum.OPENINGS)
    ids = torch.from_numpy(conversations.make_batch(library, conversations.Encoder(), 77, 0, recipe, 16)[0])
    silence(model, *NEEDLESS)
    for owner, head in LOOKED_THROUGH:
        learn(model, library, head, owner, options)
    outweigh(model, *NEAR, ids)
    torch.save({"shape": model.shape.dictionary(), "model": model.state_dict(), "step": 0}, options.output)


if __name__ == "__main__":
    main()
