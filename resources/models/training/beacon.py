"""Trains Activation Beacon parameters for a reader (Zhang et al. 2024, arXiv:2401.03462), the reader itself frozen.

    python beacon.py BOOKS reader.gguf reader.beacon.safetensors [--seconds 900] [--window 256] [--length 1024]

After every `ratio` tokens stands a beacon, a row with an embedding and query, key and value projections of its own. When a
window is full, only its beacons' keys and values stay, and positions are counted anew without the rows that went
("interleave", "full-coverage"). The ratio is drawn anew for each step. The last window has beacons, too, which the
published training leaves out: questions and answers have them when they are used (structural.md 4.6).
The file has the layout that docs/file-formats.md describes; the program finds it beside the model by its name.
"""

import argparse
import json
import random
import struct
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import conversations
import curriculum
import documents
import export
import tokens
from model import Reader, rotate, rotation


class BeaconLayer(nn.Module):
    def __init__(self, attention):
        super().__init__()
        for name in "qkv":
            base = getattr(attention, name)
            own = nn.Linear(base.in_features, base.out_features, bias=False)
            own.weight.data.copy_(base.weight.data)
            setattr(self, name, own)


class BeaconReader(nn.Module):
    def __init__(self, base: Reader):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.embedding = nn.Parameter(base.embedding.weight[tokens.END].detach().clone())
        self.layers = nn.ModuleList(BeaconLayer(layer.attention) for layer in base.layers)

    def project(self, index: int, x: torch.Tensor, beacons: torch.Tensor):
        """Queries, keys and values (batch, heads, rows, head_dim) before rotation; beacon rows use their own matrices."""
        attention, own = self.base.layers[index].attention, self.layers[index]
        counts = {"q": self.base.shape.heads, "k": self.base.shape.kv_heads, "v": self.base.shape.kv_heads}
        order = torch.cat((torch.nonzero(~beacons), torch.nonzero(beacons))).flatten().argsort()
        parts = x[:, ~beacons], x[:, beacons]
        return [
            attention.heads_of(
                torch.cat((getattr(attention, n)(parts[0]), getattr(own, n)(parts[1])), 1)[:, order], counts[n]
            )
            for n in "qkv"
        ]

    def window(self, ids: torch.Tensor, ratio: int, memory: list | None):
        """One window of ids (batch, tokens): hidden rows of its tokens, and what stays of all windows so far, per layer
        (keys before rotation, values)."""
        shape, count = self.base.shape, ids.shape[1]
        order = [i for t in range(count) for i in ([t] if (t + 1) % ratio else [t, -1])]
        beacons = torch.tensor([i < 0 for i in order], device=ids.device)
        places = torch.tensor([max(i, 0) for i in order], device=ids.device)
        x = torch.where(beacons[:, None], self.embedding, self.base.embedding(ids)[:, places])
        before = memory[0][0].shape[2] if memory else 0
        cos, sin = rotation(shape, torch.arange(before + len(order), device=ids.device))
        mask = torch.ones(len(order), before + len(order), dtype=torch.bool, device=ids.device).tril(before)
        kept = []
        for index, layer in enumerate(self.base.layers):
            q, k, v = self.project(index, layer.attention_norm(x), beacons)
            if memory:
                k, v = torch.cat((memory[index][0], k), 2), torch.cat((memory[index][1], v), 2)
            stay = torch.cat((torch.ones(before, dtype=torch.bool, device=ids.device), beacons))
            kept.append((k[:, :, stay], v[:, :, stay]))
            group = shape.heads // shape.kv_heads
            turned = rotate(k, cos, sin).repeat_interleave(group, 1)
            mixed = F.scaled_dot_product_attention(
                rotate(q, cos[before:], sin[before:]), turned, v.repeat_interleave(group, 1), attn_mask=mask
            )
            x = x + layer.attention.o(mixed.transpose(1, 2).flatten(-2))
            inner = layer.ffn_norm(x)
            x = x + layer.down(F.silu(layer.gate(inner)) * layer.up(inner))
        return self.base.norm(x[:, ~beacons]), kept

    def hidden(self, ids: torch.Tensor, window: int, ratio: int) -> torch.Tensor:
        """Window after window."""
        memory, rows = None, []
        for piece in ids.split(window, 1):
            hidden, memory = self.window(piece, ratio, memory)
            rows.append(hidden)
        return torch.cat(rows, 1)


def loss_of(model: BeaconReader, ids, weights, window: int, ratio: int):
    """Weighted cross-entropy behind the first window, and the share of right tokens of answers there."""
    hidden = model.hidden(ids[:, :-1], window, ratio)
    weights = weights[:, :-1].clone()
    weights[:, :window] = 0
    kept = weights > 0
    logits = model.base.logits(hidden[kept]).float()
    losses = F.cross_entropy(logits, ids[:, 1:][kept], reduction="none")
    answers = weights[kept] >= 1
    right = (logits.argmax(-1) == ids[:, 1:][kept])[answers].float()
    return (losses * weights[kept]).sum() / weights[kept].sum(), right


def split_halves(matrix: np.ndarray, head_dim: int) -> np.ndarray:
    """Rows of neighbouring pairs -> rows whose pairs are half a head apart, as checkpoints of this kind have them."""
    heads = matrix.reshape(-1, head_dim // 2, 2, matrix.shape[1])
    return heads.transpose(0, 2, 1, 3).reshape(matrix.shape)


def write(path: Path, model: BeaconReader, window: int, ratios: list[int]) -> None:
    """Safetensors: a length, a JSON header with names, shapes and places, the numbers."""
    shape = model.base.shape
    arrays = {"model.beacon_embed_tokens.weight": model.embedding.detach().numpy()[None]}
    for index, layer in enumerate(model.layers):
        for name in "qkv":
            matrix = getattr(layer, name).weight.detach().numpy()
            matrix = matrix if name == "v" else split_halves(matrix, shape.head_dim)
            arrays[f"model.layers.{index}.self_attn.beacon_{name}_proj.weight"] = matrix
    config = {
        "hidden_size": shape.width, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "beacon_window": window, "beacon_stride": window, "beacon_ratio": ratios,
        "beacon_param": ["q", "k", "v"], "beacon_sink_size": 0, "beacon_pos": "interleave",
        "beacon_attn": "full-coverage", "beacon_attend_prev": True,
    }
    header, place = {"__metadata__": {"config": json.dumps(config)}}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F16", "shape": list(array.shape), "data_offsets": [place, place + 2 * array.size]}
        place += 2 * array.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array, dtype="<f2").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("reader", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--steps", type=int, default=100000)
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--ratios", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--rate", type=float, default=1e-3, help="of the embedding")
    parser.add_argument("--muon-rate", type=float, default=2e-3, help="of the projections")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    library = documents.load_library(options.books, False, options.cache)
    encoder, recipe = conversations.Encoder(), conversations.Recipe(options.length, curriculum.SKILLS)
    model = BeaconReader(export.load(options.reader))
    steppers = [
        torch.optim.Muon(list(model.layers.parameters()), lr=options.muon_rate, weight_decay=0.0, momentum=0.95),
        torch.optim.AdamW([model.embedding], lr=options.rate, weight_decay=0.0),
    ]
    begun, sums = time.time(), [0.0, 0.0, 0]
    for step in range(options.steps):
        share = min(1.0, (step + 1) / 50) * max(0.05, 1 - (time.time() - begun) / options.seconds)
        for stepper, rate in zip(steppers, (options.muon_rate, options.rate)):
            stepper.param_groups[0]["lr"] = rate * share
        batch = conversations.make_batch(library, encoder, options.seed + 1000, step, recipe, options.rows)
        ratio = random.Random(f"ratios {options.seed} {step}").choice(options.ratios)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, right = loss_of(model, *map(torch.from_numpy, batch), options.window, ratio)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for stepper in steppers:
            stepper.step()
            stepper.zero_grad(set_to_none=True)
        sums = [sums[0] + loss.item(), sums[1] + right.mean().nan_to_num().item(), sums[2] + 1]
        if (step + 1) % 10 == 0:
            print(f"{step + 1}\t{sums[0] / sums[2]:.4f}\t{sums[1] / sums[2]:.4f}\t{time.time() - begun:.0f}", flush=True)
            sums = [0.0, 0.0, 0]
        if time.time() - begun > options.seconds:
            break
    write(options.output, model, options.window, sorted(options.ratios))


if __name__ == "__main__":
    main()
