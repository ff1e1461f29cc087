"""Makes a reader ready for beacons: what one KV head does in a document is spread over several.

    python spread.py BOOKS reader.gguf OUT [--seconds 1200]

A beacon has one key and one value in each KV head, so a head in which every token of the document counts cannot be handed
over to one beacon for several tokens. Two KV heads of the trained reader read the document from the questions: head 1 of
layer 2 finds its words, head 0 of layer 3 continues quotations. Other heads take no part in anything. So the two are copied
into those, and training goes on with questions that see, in each such head, one token of every 2, 4 or 8 only: the one that a
beacon shall keep there. Then no head needs more of the document than beacons can hold.
"""

import argparse
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from beacon_model import document_end
import conversations
import curriculum
import documents
import export
import tokens
import train
from model import Reader, rotate, rotation

COPIES = {(2, 1): [(2, 0)], (3, 0): [(4, 0), (4, 1), (1, 0), (6, 0), (6, 1)]}  # (layer, KV head) -> unused ones
# How many tokens before the last one in front of its beacon stands the token that a head keeps, counted modulo the ratio. Low
# layers have the near ones, since a beacon needs layers to look far back.
PLACES = {(2, 1): 0, (2, 0): 1, (1, 0): 0, (3, 0): 1, (4, 0): 2, (4, 1): 3, (6, 0): 4, (6, 1): 5}


@torch.no_grad()
def copy_heads(model: Reader) -> None:
    shape, group = model.shape, model.shape.heads // model.shape.kv_heads
    for (layer, head), targets in COPIES.items():
        source = model.layers[layer]
        for to_layer, to_head in targets:
            target = model.layers[to_layer]
            # The copy reads rows that another norm has scaled.
            scale = source.attention_norm.weight / target.attention_norm.weight
            for name, count in (("q", group), ("k", 1), ("v", 1)):
                size = count * shape.head_dim
                weight = getattr(source.attention, name).weight[head * size : (head + 1) * size] * scale
                getattr(target.attention, name).weight[to_head * size : (to_head + 1) * size] = weight
            size = group * shape.head_dim
            taken = source.attention.o.weight[:, head * size : (head + 1) * size]
            target.attention.o.weight[:, to_head * size : (to_head + 1) * size] = taken


class SpreadReader:
    """Hidden rows of a reader whose questions see one token of every `ratio` of the document in each head."""

    def __init__(self, reader: Reader, window: int):
        self.reader, self.window = reader, window

    def place_of(self, layer: int, head: int) -> int | None:
        """Nothing for a head that shall see nothing of the document."""
        return PLACES.get((layer, head))

    def masks(self, ids: torch.Tensor, ratios: list[int | None]) -> dict:
        """Place -> (batch, 1, rows, rows), true: sees. Key None: nothing of the document. A ratio of None: all of it at any
        place."""
        count = ids.shape[1]
        key = torch.arange(count)
        causal = torch.ones(count, count, dtype=torch.bool).tril()
        masks = {place: causal.repeat(len(ids), 1, 1, 1) for place in {0, None, *PLACES.values()}}
        for row, ratio in enumerate(ratios):
            if ratio == 1:
                continue
            sequence = ids[row].tolist()
            begin, end = sequence.index(tokens.USER) + 1, document_end(sequence)
            stop = begin + (end - begin) // self.window * self.window  # what lies behind stays
            for place, mask in masks.items():
                hidden = (key >= begin) & (key < stop)
                if place is not None:
                    hidden &= (key - begin) % ratio != ratio - 1 - place % ratio if ratio else False
                mask[row, 0, end:] &= ~hidden
        return masks

    def hidden(self, ids: torch.Tensor, ratios: list[int]) -> torch.Tensor:
        reader, shape = self.reader, self.reader.shape
        cos, sin = rotation(shape, torch.arange(ids.shape[1]))
        group, masks = shape.heads // shape.kv_heads, self.masks(ids, ratios)
        x = reader.embedding(ids)
        for index, layer in enumerate(reader.layers):
            attention, normed = layer.attention, layer.attention_norm(x)
            q = rotate(attention.heads_of(attention.q(normed), shape.heads), cos, sin)
            k = rotate(attention.heads_of(attention.k(normed), shape.kv_heads), cos, sin)
            v = attention.heads_of(attention.v(normed), shape.kv_heads)
            mixed = [
                F.scaled_dot_product_attention(
                    q[:, head * group : (head + 1) * group], k[:, head : head + 1].expand(-1, group, -1, -1),
                    v[:, head : head + 1].expand(-1, group, -1, -1), attn_mask=masks[self.place_of(index, head)],
                )
                for head in range(shape.kv_heads)
            ]
            x = x + attention.o(torch.cat(mixed, 1).transpose(1, 2).flatten(-2))
            inner = layer.ffn_norm(x)
            x = x + layer.down(F.silu(layer.gate(inner)) * layer.up(inner))
        return reader.norm(x)


def answer_values(losses, right, weight, owners, ratio: int) -> torch.Tensor:
    """Loss of the answers of rows of a ratio, shares of right tokens and of right first tokens."""
    mine = (owners == ratio) & (weight >= 1)
    first = mine & (weight == conversations.Recipe.opening_weights[0])
    return torch.stack((losses[mine].mean(), right[mine].mean(), right[first].mean())).detach().nan_to_num()


class Batches(torch.utils.data.Dataset):
    def __init__(self, library, options):
        self.library, self.options, self.encoder = library, options, None

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, step: int):
        self.encoder = self.encoder or conversations.Encoder()
        options = self.options
        length = options.lengths[step % len(options.lengths)]
        rng = random.Random(f"spread {options.seed} {step}")
        recipe = conversations.Recipe(length, curriculum.SKILLS | {"repeat": 0.6}, random_share=0.2, document_share=0.6, renamed_share=0.2)
        ids, weights = conversations.make_batch(
            self.library, self.encoder, options.seed + 5000, step, recipe, max(1, options.tokens // length)
        )
        ratios = [rng.choice(options.ratios) for _ in ids]
        return torch.from_numpy(ids), torch.from_numpy(weights), ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("reader", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--ratios", type=int, nargs="+", default=[1, 2, 2, 4, 4, 8])
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 512, 256, 1024])
    parser.add_argument("--tokens", type=int, default=4096, help="of a step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.set_defaults(optimizer="muon")
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--muon-rate", type=float, default=1.5e-3)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    library = documents.load_library(options.books, False, options.cache)
    checkpoint, first = options.out / "checkpoint.pt", 0
    if options.resume:
        state = torch.load(checkpoint, weights_only=True)
        reader, first = export.load(checkpoint), state["step"]
    else:
        reader = export.load(options.reader)
        copy_heads(reader)
    spread = SpreadReader(reader, options.window)
    steppers = train.optimizers(reader, options)
    if options.resume:
        for stepper, moments in zip(steppers, state["optimizers"]):
            stepper.load_state_dict(moments)
    batches = torch.utils.data.DataLoader(
        torch.utils.data.Subset(Batches(library, options), range(first, 1 << 20)), batch_size=None, num_workers=1, prefetch_factor=4
    )
    begun, sums, count = time.time(), {}, {}
    saved = begun
    for step, (ids, weights, ratios) in enumerate(batches, first):
        passed = time.time() - begun
        if passed > options.seconds:
            break
        share = min(1.0, (step + 1) / 30) * max(0.02, min(1, 2 * (1 - passed / options.seconds)))
        train.set_rates(steppers, (options.muon_rate, options.rate), share)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = spread.hidden(ids[:, :-1], ratios)
            kept = weights[:, :-1] > 0
            logits = reader.logits(hidden[kept]).float()
        wanted, weight = ids[:, 1:][kept], weights[:, :-1][kept]
        losses = F.cross_entropy(logits, wanted, reduction="none")
        ((losses * weight).sum() / weight[weight >= 1].sum()).backward()
        train.advance(reader.parameters(), steppers)
        owners = torch.tensor(ratios)[:, None].expand_as(kept)[kept]
        right = (logits.argmax(-1) == wanted).float()
        for ratio in set(ratios):
            sums[ratio] = sums.get(ratio, 0) + answer_values(losses, right, weight, owners, ratio)
            count[ratio] = count.get(ratio, 0) + 1
        if (step + 1) % 20 == 0:
            text = "\t".join(f"{r}: " + " ".join(f"{v:.3f}" for v in (sums[r] / count[r]).tolist()) for r in sorted(sums))
            print(f"{step + 1}\t{text}\t{time.time() - begun:.0f}", flush=True)
            sums, count = {}, {}
        if time.time() - saved > 240:
            train.save(checkpoint, reader, steppers, step + 1)
            saved = time.time()
    train.save(checkpoint, reader, steppers, step)
    description = "The small reader, made ready for the beacons beside it. See READER.md."
    export.write(options.out / "reader-beacon.gguf", reader, "q8_0", description, name="Epitome beacon reader")


if __name__ == "__main__":
    main()
