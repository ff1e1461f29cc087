"""Adds two layers to a trained reader without changing what it says; training then gives them work.

    python deepen.py reader.gguf checkpoint.pt

With five layers the row of an answer's first token can tell the second only by the last words it stands behind, and an
answer's first word ("The", "He") stands in many places. What the row before has found is known there too late to be used.
So before the last layer comes one whose heads look one and two rows back, at all that those rows have found by then, and
behind it a copy of the last layer, for a second induction with that knowledge. Output matrices of both begin as nothing.
Compare "depth up-scaling" (Kim et al. 2023, arXiv:2312.15166), which repeats layers, too.
"""

import argparse
import copy
import dataclasses
from pathlib import Path

import torch

import export
import initial
from model import Reader


@torch.no_grad()
def deepen(old: Reader, seed: int) -> Reader:
    new = Reader(dataclasses.replace(old.shape, layers=old.shape.layers + 2))
    starter = initial.Starter(new, seed)
    starter.plain()
    new.embedding, new.norm = copy.deepcopy(old.embedding), copy.deepcopy(old.norm)
    *below, last = (copy.deepcopy(layer) for layer in old.layers)
    looks_back, repeats = new.layers[len(below)], copy.deepcopy(last)
    for kv_head in range(new.shape.kv_heads):
        attention = looks_back.attention
        starter.clear(attention, kv_head)
        starter.same_place(attention, kv_head)
        values = slice(kv_head * starter.size, (kv_head + 1) * starter.size)
        attention.v.weight[values] = starter.random(starter.size, new.shape.width)
        for place in (0, 1):
            turned = starter.rows(2 * kv_head + place)[0]
            attention.q.weight[turned, initial.CONSTANT] = 12.0 * starter.at_distance(place + 1, slice(0, 8)) / initial.FLAG
    for layer in (looks_back, repeats):
        layer.attention.o.weight.zero_()
        layer.down.weight.zero_()
    new.layers = torch.nn.ModuleList([*below, looks_back, last, repeats])
    return new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file or checkpoint")
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model = deepen(export.load(options.model), options.seed)
    torch.save({"shape": model.shape.dictionary(), "model": model.state_dict(), "step": 0}, options.output)


if __name__ == "__main__":
    main()
