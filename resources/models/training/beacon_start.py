"""First stage of the training of beacons: each learns the keys and values that it is to keep.

    python beacon_start.py BOOKS reader-beacon.gguf start.pt [--seconds 600]

In every KV head that reads the document from the questions, a beacon's key and value are drawn towards those that the frozen
reader, without beacons, has for one of the tokens before the beacon (PLACES of spread.py). That tells each layer what is
wanted of it, where the loss of answers alone has to find it through all of them: it is matching layer by layer as in
knowledge distillation (Romero et al. 2014, arXiv:1412.6550). beacon.py goes on from here.
"""

import argparse
import random
import time
from pathlib import Path

import torch

import conversations
import documents
import export
import tokens
import train
from beacon_model import BeaconReader
from spread import PLACES

PREFIX = [tokens.BEGIN, tokens.USER]
RECIPE = conversations.Recipe(256, {"fact": 1}, random_share=0.3, renamed_share=0.2)


class Texts(torch.utils.data.Dataset):
    """Step number -> (rows, prefix and two windows) ids of documents, and the ratio."""

    def __init__(self, library, options):
        self.library, self.options, self.encoder = library, options, None

    def __len__(self) -> int:
        return 1 << 20

    def text(self, rng: random.Random) -> list[int]:
        count, ids = 2 * self.options.window, []
        while len(ids) < count:
            ids = self.encoder.ids(conversations.make_document(self.library, rng, RECIPE, 7 * count).text())
        return PREFIX + ids[:count]

    def __getitem__(self, step: int):
        self.encoder = self.encoder or conversations.Encoder()
        rows = [self.text(random.Random(f"texts {self.options.seed} {step} {row}")) for row in range(self.options.rows)]
        return torch.tensor(rows), random.Random(f"ratio {self.options.seed} {step}").choice(self.options.ratios)


def errors(model: BeaconReader, ids: torch.Tensor, window: int, ratio: int) -> torch.Tensor:
    """(heads of PLACES, 2): squared distances of beacons' keys and values from what they shall be, each divided by the
    variance of the latter."""
    prefix = len(PREFIX)
    with torch.no_grad():
        _, wanted = model.rows(ids, [False] * ids.shape[1], None)
    memory = model.read(ids[:, :prefix], ids[:, prefix:], window, ratio)
    ends = torch.arange(prefix - 1 + ratio, ids.shape[1], ratio)  # places of the tokens before beacons
    found = []
    for (layer, head), place in PLACES.items():
        known = ends - place >= prefix
        for part in range(2):
            goal = wanted[layer][part][:, head, (ends - place)[known]].float()
            beacons = memory[layer][part][:, head, prefix : prefix + len(ends)][:, known].float()
            found.append((goal - beacons).square().sum() / (goal - goal.mean((0, 1))).square().sum())
    return torch.stack(found).view(-1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("reader", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--letters", default="qkvo", help="projections that beacons have of their own")
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--ratios", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--rate", type=float, default=3e-3, help="of the embedding")
    parser.add_argument("--muon-rate", type=float, default=2e-2, help="of the projections")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    library = documents.load_library(options.books, False, options.cache)
    model = BeaconReader(export.load(options.reader), options.letters)
    steppers = [
        torch.optim.Muon(list(model.layers.parameters()), lr=options.muon_rate, weight_decay=0.0, momentum=0.95),
        torch.optim.AdamW([model.embedding], lr=options.rate, weight_decay=0.0),
    ]
    texts = torch.utils.data.DataLoader(Texts(library, options), batch_size=None, num_workers=1, prefetch_factor=4)
    begun, recent = time.time(), {}
    for step, (ids, ratio) in enumerate(texts):
        passed = time.time() - begun
        if passed > options.seconds:
            break
        share = min(1.0, (step + 1) / 10) * max(0.03, min(1.0, 1.4 * (1 - passed / options.seconds)))
        train.set_rates(steppers, (options.muon_rate, options.rate), share)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = errors(model, ids, options.window, ratio)
        # Heads that are far off shall not drown the others.
        (found / found.detach().clamp(min=1.0)).mean().backward()
        train.advance(model.own(), steppers)
        recent[ratio] = 0.8 * recent.get(ratio, found.detach()) + 0.2 * found.detach()
        if (step + 1) % 30 == 0:
            heads = "\t".join(
                f"{each}: {recent[each].mean():.3f} (" + " ".join(f"{k:.2f}/{v:.2f}" for k, v in recent[each].tolist()) + ")"
                for each in sorted(recent)
            )
            print(f"{step + 1}\t{heads}\t{passed:.0f}", flush=True)
    train.save(options.output, model, steppers, 0)


if __name__ == "__main__":
    main()
