"""Compactor's leverage scores with a given sketch: writes data/leverage.json. Where the sketch has fewer columns than a
key it decides what is kept, and random numbers cannot be the same in two programs; so both get these."""

import json
import sys
from pathlib import Path

import torch
from kvpress.presses.leverage_press import LeverageScorePress

from seeded import numbers

DATA = Path(__file__).resolve().parent / "data"
TOKENS, DIM = 40, 16


def main():
    keys = numbers(22, TOKENS * DIM).view(1, 1, TOKENS, DIM)
    cases = []
    random_matrix = torch.randn
    for columns in (4, 8, 24):
        torch.randn = lambda *_shape, **_: numbers(7, DIM * columns).view(1, 1, DIM, columns)
        scores = LeverageScorePress.compute_leverage_scores(keys, columns)[0, 0]
        cases.append({"columns": columns, "scores": [float(f"{x:.7g}") for x in scores.tolist()]})
    torch.randn = random_matrix
    path = DATA / "leverage.json"
    path.write_text(json.dumps({"tokens": TOKENS, "dim": DIM, "cases": cases}) + "\n")
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(main())
