"""Trains a reader on so that layers can share distant keys and queries (PoD; docs/adding-a-method.md, engine/methods/pod.cpp).

    python pod.py BOOKS reader.gguf OUT.gguf [--seconds 900] [--group 2] [--recent 256] [--sinks 16]

Layers stand in groups of `group`. For keys that are neither among the first `sinks` nor among the last `recent`, a layer
takes the logits of the lowest layer of its group, as `epitome prepare --method pod --set group=2 --set recent=256` does;
one softmax goes over these and the near keys' own logits. Values stay every layer's own. All weights are trained.
"""

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import conversations
import curriculum
import documents
import export
import train
from model import Reader, rotate, rotation


class PodReader:
    """Hidden rows of a reader whose layers share distant keys and queries."""

    def __init__(self, reader: Reader, group: int, recent: int, sinks: int):
        self.reader, self.group, self.recent, self.sinks = reader, group, recent, sinks

    def distant(self, count: int, device) -> torch.Tensor:
        """(rows, keys): keys that are distant to a row. A row counts as its own first recent key."""
        row = torch.arange(count, device=device)[:, None]
        key = torch.arange(count, device=device)[None, :]
        return (key >= self.sinks) & (key <= row - self.recent) & (row + 1 > self.sinks + self.recent)

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        reader, shape = self.reader, self.reader.shape
        count = ids.shape[1]
        cos, sin = rotation(shape, torch.arange(count, device=ids.device))
        distant = self.distant(count, ids.device)
        causal = torch.ones(count, count, dtype=torch.bool, device=ids.device).tril()
        group = shape.heads // shape.kv_heads
        x, owned = reader.embedding(ids), None
        for index, layer in enumerate(reader.layers):
            attention, normed = layer.attention, layer.attention_norm(x)
            q = rotate(attention.heads_of(attention.q(normed), shape.heads), cos, sin)
            k = rotate(attention.heads_of(attention.k(normed), shape.kv_heads), cos, sin)
            v = attention.heads_of(attention.v(normed), shape.kv_heads)
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
            if index % self.group == 0:
                owned = (q, k)
                mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                near = q @ k.transpose(-1, -2)
                logits = torch.where(distant, owned[0] @ owned[1].transpose(-1, -2), near).float() / shape.head_dim**0.5
                mixed = logits.masked_fill(~causal, -torch.inf).softmax(-1).type_as(v) @ v
            x = x + attention.o(mixed.transpose(1, 2).flatten(-2))
            inner = layer.ffn_norm(x)
            x = x + layer.down(F.silu(layer.gate(inner)) * layer.up(inner))
        return reader.norm(x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("reader", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--steps", type=int, default=100000)
    parser.add_argument("--group", type=int, default=2)
    parser.add_argument("--recent", type=int, default=256)
    parser.add_argument("--sinks", type=int, default=16)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 2048])
    parser.add_argument("--tokens", type=int, default=4096, help="of a step")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.set_defaults(optimizer="muon")  # which train.optimizers() asks for
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--muon-rate", type=float, default=1.5e-3)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    library, encoder = documents.load_library(options.books, False, options.cache), conversations.Encoder()
    reader = export.load(options.reader)
    pod = PodReader(reader, options.group, options.recent, options.sinks)
    steppers = train.optimizers(reader, options)
    begun, sums, count = time.time(), [0.0, 0.0, 0.0], 0
    for step in range(options.steps):
        passed = time.time() - begun
        if passed > options.seconds:
            break
        share = min(1.0, (step + 1) / 20) * max(0.02, 1 - max(passed / options.seconds, step / options.steps))
        train.set_rates(steppers, (options.muon_rate, options.rate), share)
        length = options.lengths[step % len(options.lengths)]
        recipe = conversations.Recipe(length, curriculum.OPENINGS, **curriculum.LONG_DOCUMENTS)
        batch = conversations.make_batch(library, encoder, options.seed + 2000, step, recipe, options.tokens // length)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, report = train.answer_loss(reader, pod.hidden, *map(torch.from_numpy, batch))
        loss.backward()
        train.advance(reader.parameters(), steppers)
        sums = [a + b.item() for a, b in zip(sums, report)]
        count += 1
        if count == 10:
            print(f"{step + 1}\t" + "\t".join(f"{s / count:.4f}" for s in sums) + f"\t{time.time() - begun:.0f}", flush=True)
            sums, count = [0.0, 0.0, 0.0], 0
    export.write(options.output, reader, "q8_0", "The small reader, trained on for PoD. See READER.md.")


if __name__ == "__main__":
    main()
