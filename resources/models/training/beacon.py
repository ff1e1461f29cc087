"""Trains Activation Beacon parameters for a reader (Zhang et al. 2024, arXiv:2401.03462), the reader itself frozen.

    python beacon.py BOOKS reader-beacon.gguf OUT --from start.pt [--seconds 1800] [--lengths 256 384 512] [--processes 2]

The second stage, from what beacon_start.py made: the loss of answers. The ratio is drawn anew for each row. OUT receives
checkpoint.pt and reader-beacon.beacon.safetensors, named after the reader.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import beacon_model
import conversations
import documents
import export
import train

# Repeating asks for every token of the document, so it teaches most.
SKILLS = {"continue": 3, "fact": 3, "repeat": 1.5, "blank": 1, "quote": 2, "absent": 0.6}
REPORT = 20  # steps


class Rows(torch.utils.data.Dataset):
    """Row number -> a row's ids and weights, and its ratio; made in a process of its own."""

    def __init__(self, library, options):
        self.library, self.options, self.encoder = library, options, None

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, number: int):
        self.encoder = self.encoder or conversations.Encoder()
        rng = random.Random(f"beacons {self.options.seed} {number}")
        recipe = conversations.Recipe(
            rng.choice(self.options.lengths), SKILLS, random_share=0.2, document_share=0.6, text_weight=0.0, cut_share=0.2,
            renamed_share=0.2,
        )
        ids, weights, _ = conversations.make_row(self.library, self.encoder, rng, recipe)
        return torch.tensor(ids), torch.tensor(weights), rng.choice(self.options.ratios)


def loss_of(model: beacon_model.BeaconReader, row, weights, window: int, ratio: int):
    """Weighted cross-entropy of the answers of one row, and (that, shares of right tokens and of right first tokens)."""
    length = int(torch.nonzero(weights)[-1]) + 1
    hidden, begin = model.answers(row[:length], window, ratio)
    weights = weights[begin:length]
    kept = weights > 0
    logits = model.base.logits(hidden[kept]).float()
    wanted, weights = row[begin + 1 : length + 1][kept], weights[kept]
    loss = (F.cross_entropy(logits, wanted, reduction="none") * weights).sum() / weights.sum()
    right = (logits.argmax(-1) == wanted).float()
    first = weights == conversations.Recipe.opening_weights[0]
    return loss, torch.stack((loss.detach(), right.mean(), right[first].mean())).nan_to_num()


def report(step: int, sums: dict, passed: float) -> None:
    means = (f"{ratio}: " + " ".join(f"{v:.3f}" for v in torch.stack(all_).mean(0).tolist()) for ratio, all_ in sorted(sums.items()))
    print(f"{step}\t" + "\t".join(means) + f"\t{passed:.0f}", flush=True)


def run(rank: int, options) -> None:
    torch.set_num_threads(1)
    if options.processes > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{options.meeting}", rank=rank, world_size=options.processes
        )
    library = documents.load_library(options.books, False, options.cache)
    model = beacon_model.BeaconReader(export.load(options.reader), options.letters)
    state = torch.load(options.start_from, weights_only=True)
    model.load_state_dict(state["model"])
    first, checkpoint = state["step"], options.out / "checkpoint.pt"
    options.out.mkdir(parents=True, exist_ok=True)
    steppers = [
        torch.optim.Muon(list(model.layers.parameters()), lr=options.muon_rate, weight_decay=0.0, momentum=0.95),
        torch.optim.AdamW([model.embedding], lr=options.rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    if first > 0:
        for stepper, moments in zip(steppers, state["optimizers"]):
            stepper.load_state_dict(moments)
    numbers = range(first * options.rows + rank, 1 << 29, options.processes)
    rows = iter(
        torch.utils.data.DataLoader(
            torch.utils.data.Subset(Rows(library, options), numbers), batch_size=None, num_workers=1, prefetch_factor=8
        )
    )
    begun = saved = time.time()
    sums, step = {}, first
    while True:
        passed = time.time() - begun
        # Zero when the time is over, by the clock of the first process.
        share = torch.tensor(max(0.0, min((step + 1) / 30, 1.0, (options.seconds - passed) / options.decay_seconds)))
        if options.processes > 1:
            torch.distributed.broadcast(share, 0)
        if share.item() == 0:
            break
        train.set_rates(steppers, (options.muon_rate, options.rate), max(0.02, share.item()))
        for _ in range(options.rows // options.processes):
            row, weights, ratio = next(rows)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss, values = loss_of(model, row, weights, options.window, ratio)
            (loss * options.processes / options.rows).backward()
            sums.setdefault(ratio, []).append(values)
        for parameter in model.own():  # documents shorter than a ratio have no beacons
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        if options.processes > 1:
            train.average(model.own(), options.processes)
        train.advance(model.own(), steppers)
        step += 1
        if rank == 0 and step % REPORT == 0:
            report(step, sums, time.time() - begun)
        if step % REPORT == 0:
            sums = {}
        if rank == 0 and time.time() - saved > 240:
            train.save(checkpoint, model, steppers, step)
            saved = time.time()
    if rank == 0:
        train.save(checkpoint, model, steppers, step)
        file = options.out / f"{options.reader.stem}.beacon.safetensors"
        beacon_model.write(file, model, options.window, sorted(set(options.ratios)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("reader", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--from", dest="start_from", type=Path, required=True, help="a file of beacon_start.py, or OUT/checkpoint.pt to go on")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--letters", default="qkvo", help="projections that beacons have of their own, as at the start")
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--decay-seconds", type=float, default=600)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 384, 512])
    parser.add_argument("--rows", type=int, default=8, help="of a step")
    parser.add_argument("--ratios", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--rate", type=float, default=1e-3, help="of the embedding")
    parser.add_argument("--muon-rate", type=float, default=4e-3, help="of the projections")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    if options.processes == 1:
        run(0, options)
        return
    options.meeting = tempfile.mktemp(prefix="beacon-training-")
    torch.multiprocessing.spawn(run, (options,), options.processes)


if __name__ == "__main__":
    main()
