"""What MInference's own code chooses to read: writes data/patterns.json. Takes the package's source archive, from which
only the functions that choose are run; its kernels want a GPU."""

import ast
import json
import math
import sys
import tarfile
from pathlib import Path

import torch

from seeded import numbers

DATA = Path(__file__).resolve().parent / "data"
TOKENS, DIM, BLOCK = 704, 16, 64
FORWARD = "minference/modules/minference_forward.py"
BLOCKS = "minference/ops/block_sparse_flash_attention.py"


def function(archive, file, names, scope):
    """Defines the functions of the archive's file, in the order given, the last one of each name."""
    with tarfile.open(archive) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith(file))
        tree = ast.parse(tar.extractfile(member).read())
    for name in names:
        found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name]
        exec(compile(ast.Module([found[-1]], []), file, "exec"), scope)
    return scope[names[-1]]


def main():
    archive = sys.argv[1]
    query = 3 * numbers(11, TOKENS * DIM).view(1, 1, TOKENS, DIM)
    key = 2 * numbers(22, TOKENS * DIM).view(1, 1, TOKENS, DIM)

    chosen = []
    last = torch.arange(64)
    scope = {"torch": torch, "math": math, "q_len": TOKENS, "head_dim": DIM,
             "LAST_Q_MASK": last[None, None, :, None] >= last[None, None, None, :],
             "vertical_slash_sparse_attention": lambda q, k, v, columns, slashes: chosen.append(
                 {"columns": sorted(columns.flatten().tolist()), "slashes": sorted(slashes.flatten().tolist())})}
    lines = function(archive, FORWARD, ["sum_all_diagonal_matrix", "vertical_and_slash_kernel"], scope)
    # Fewer than 100 slashes are an arbitrary part of the forced ones there.
    for vertical, slash in ((30, 150), (100, 120), (60, 300), (500, 100), (1000, 6096)):
        lines(query, key, None, vertical, slash)
        chosen[-1].update(vertical=vertical, slash=slash)

    index = function(archive, BLOCKS, ["_build_block_index"], {"torch": torch})
    count = TOKENS // BLOCK
    ranking = [[] for _ in range(count)]
    for best in range(1, count + 1):
        for row, blocks in enumerate(index(query, key, best)[0, 0].tolist()):
            ranking[row] += [b for b in blocks if b <= row and b not in ranking[row]]

    path = DATA / "patterns.json"
    path.write_text(json.dumps({"tokens": TOKENS, "dim": DIM, "lines": chosen, "blocks": ranking}) + "\n")
    print(f"{path.name}: {len(chosen)} choices, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
