"""A reader with Activation Beacon (Zhang et al. 2024, arXiv:2401.03462), and the file of its parameters.

After every `ratio` tokens of the document stands a beacon, a row with an embedding and projections of its own. When a window
is full, only its beacons' keys and values stay, and positions are counted anew without the rows that went ("interleave",
"full-coverage"). As when the program uses them, the rows before the document stay raw, a last window that is not full stays
as it is with its beacons, and questions and answers have none (engine/methods/activation_beacon.cpp).
"""

import json
import struct
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import tokens
from model import Reader, rotate, rotation

LINE_FEED = tokens.vocabulary(tokens.read_merges()).index("Ċ")


def document_end(ids: list[int]) -> int:
    """Where the blank line before the first question begins."""
    last = ids.index(tokens.ASSISTANT)
    return max(i for i in range(last - 1) if ids[i] == ids[i + 1] == LINE_FEED)


class BeaconLayer(nn.Module):
    """A layer's projections for beacons; begins with copies of the reader's."""

    def __init__(self, attention, letters: str):
        super().__init__()
        for letter in letters:
            base = getattr(attention, letter)
            own = nn.Linear(base.in_features, base.out_features, bias=False)
            own.weight.data.copy_(base.weight.data)
            setattr(self, letter, own)


class BeaconReader(nn.Module):
    """The reader is frozen. A memory is a list with (keys before rotation, values) of each layer, each (batch, kv_heads,
    rows, head_dim)."""

    def __init__(self, base: Reader, letters: str):
        super().__init__()
        self.base, self.letters, self.shape = base.requires_grad_(False), letters, base.shape
        self.embedding = nn.Parameter(base.embedding.weight[tokens.END].detach().clone())
        self.layers = nn.ModuleList(BeaconLayer(layer.attention, letters) for layer in base.layers)

    def own(self) -> list[nn.Parameter]:
        return [self.embedding, *self.layers.parameters()]

    def project(self, index: int, letter: str, x: torch.Tensor, beacons: int) -> torch.Tensor:
        """The last `beacons` rows of x (batch, rows, in) through matrices of their own, the others through the reader's."""
        base = getattr(self.base.layers[index].attention, letter)
        if not beacons or letter not in self.letters:
            return base(x)
        return torch.cat((base(x[:, :-beacons]), getattr(self.layers[index], letter)(x[:, -beacons:])), 1)

    def rows(self, ids: torch.Tensor, flags: list[bool], memory: list | None):
        """Rows in the order of `flags`, tokens (of ids, (batch, tokens)) and where flags are set beacons, behind a memory:
        hidden rows of the tokens, and the memory with all rows. Between attentions beacons stand last."""
        shape, flagged = self.shape, torch.tensor(flags)
        order = torch.cat((torch.nonzero(~flagged), torch.nonzero(flagged))).flatten()
        back, beacons = order.argsort(), int(flagged.sum())
        x = torch.cat((self.base.embedding(ids), self.embedding.expand(len(ids), beacons, -1)), 1)
        before = memory[0][0].shape[2] if memory else 0
        cos, sin = rotation(shape, torch.arange(before + len(flags)))
        mask = torch.ones(len(flags), before + len(flags), dtype=torch.bool).tril(before) if before else None
        group, after = shape.heads // shape.kv_heads, []
        counts = {"q": shape.heads, "k": shape.kv_heads, "v": shape.kv_heads}
        for index, layer in enumerate(self.base.layers):
            normed = layer.attention_norm(x)
            q, k, v = (
                layer.attention.heads_of(self.project(index, letter, normed, beacons)[:, back], count)
                for letter, count in counts.items()
            )
            if memory:
                k, v = torch.cat((memory[index][0], k), 2), torch.cat((memory[index][1], v), 2)
            after.append((k, v))
            mixed = F.scaled_dot_product_attention(
                rotate(q, cos[before:], sin[before:]), rotate(k, cos, sin).repeat_interleave(group, 1),
                v.repeat_interleave(group, 1), attn_mask=mask, is_causal=mask is None,
            )
            x = x + self.project(index, "o", mixed.transpose(1, 2).flatten(-2)[:, order], beacons)
            inner = layer.ffn_norm(x)
            x = x + layer.down(F.silu(layer.gate(inner)) * layer.up(inner))
        return self.base.norm(x[:, : len(flags) - beacons]), after

    def read(self, prefix: torch.Tensor, document: torch.Tensor, window: int, ratio: int) -> list:
        """What is kept of a prefix and a document, (batch, tokens) each."""
        memory = None
        for start in range(0, document.shape[1], window):
            piece, flags = document[:, start : start + window], []
            for place in range(piece.shape[1]):
                flags += [False, True] if (place + 1) % ratio == 0 else [False]
            before = memory[0][0].shape[2] if memory else prefix.shape[1]
            if memory is None:
                _, memory = self.rows(torch.cat((prefix, piece), 1), [False] * before + flags, None)
            else:
                _, memory = self.rows(piece, flags, memory)
            if piece.shape[1] == window:
                stays = torch.tensor([True] * before + flags)
                memory = [(k[:, :, stays], v[:, :, stays]) for k, v in memory]
        return memory

    def answers(self, row: torch.Tensor, window: int, ratio: int) -> tuple[torch.Tensor, int]:
        """Hidden rows of what stands behind the document of one row (tokens), and where that begins."""
        begin, end = row.tolist().index(tokens.USER) + 1, document_end(row.tolist())
        memory = self.read(row[None, :begin], row[None, begin:end], window, ratio)
        return self.rows(row[None, end:], [False] * (len(row) - end), memory)[0][0], end


def split_halves(matrix: np.ndarray, head_dim: int) -> np.ndarray:
    """Rows of neighbouring pairs -> rows whose pairs are half a head apart, as checkpoints of this kind have them."""
    heads = matrix.reshape(-1, head_dim // 2, 2, matrix.shape[1])
    return heads.transpose(0, 2, 1, 3).reshape(matrix.shape)


def join_halves(matrix: np.ndarray, head_dim: int) -> np.ndarray:
    """What split_halves() takes apart."""
    heads = matrix.reshape(-1, 2, head_dim // 2, matrix.shape[1])
    return heads.transpose(0, 2, 1, 3).reshape(matrix.shape)


def read(path: Path, base: Reader) -> tuple[BeaconReader, dict]:
    """The beacons of a file that write() made, and its configuration."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    config = json.loads(header.pop("__metadata__")["config"])
    model = BeaconReader(base, "".join(config["beacon_param"]))

    def array(name: str) -> np.ndarray:
        begin, end = (8 + size + offset for offset in header[name]["data_offsets"])
        return np.frombuffer(data[begin:end], "<f2").reshape(header[name]["shape"]).astype(np.float32)

    with torch.no_grad():
        model.embedding.copy_(torch.from_numpy(array("model.beacon_embed_tokens.weight")[0]))
        for index, layer in enumerate(model.layers):
            for letter in model.letters:
                matrix = array(f"model.layers.{index}.self_attn.beacon_{letter}_proj.weight")
                matrix = join_halves(matrix, base.shape.head_dim) if letter in "qk" else matrix
                getattr(layer, letter).weight.copy_(torch.from_numpy(matrix))
    return model, config


def write(path: Path, model: BeaconReader, window: int, ratios: list[int]) -> None:
    """The layout of docs/file-formats.md, safetensors: a length, a JSON header with names, shapes and places, the numbers.
    The program finds the file beside the model NAME.gguf as NAME.beacon.safetensors."""
    shape = model.shape
    arrays = {"model.beacon_embed_tokens.weight": model.embedding.detach().numpy()[None]}
    for index, layer in enumerate(model.layers):
        for letter in model.letters:
            matrix = getattr(layer, letter).weight.detach().numpy()
            matrix = split_halves(matrix, shape.head_dim) if letter in "qk" else matrix
            arrays[f"model.layers.{index}.self_attn.beacon_{letter}_proj.weight"] = matrix
    config = {
        "hidden_size": shape.width, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "beacon_window": window, "beacon_stride": window, "beacon_ratio": ratios,
        "beacon_param": list(model.letters), "beacon_sink_size": 0, "beacon_pos": "interleave",
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
