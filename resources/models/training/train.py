"""Trains the reader on the CPU or one GPU. Stops, and goes on with --resume from the newest checkpoint.

    python train.py BOOKS OUT [--resume] [--threads 2] [--steps N]

BOOKS is the unpacked corpus; OUT receives checkpoint.pt, log.tsv and, through export.py, reader.gguf.
"""

import argparse
import dataclasses
import os
import signal
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import conversations
import curriculum
import documents
import export
import initial
from model import Reader, Shape


class Batches(torch.utils.data.Dataset):
    """Step number -> batch; made in a process of its own."""

    def __init__(self, library, seed: int, stages, rank: int, processes: int):
        self.library, self.seed, self.stages, self.encoder = library, seed, stages, None
        self.part = slice(rank, None, processes)

    def __len__(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def __getitem__(self, step: int):
        self.encoder = self.encoder or conversations.Encoder()
        stage = curriculum.stage_of(step, self.stages)
        ids, weights = conversations.make_batch(
            self.library, self.encoder, self.seed, step, stage.recipe(step), stage.rows(step)
        )
        return step, torch.from_numpy(ids[self.part]), torch.from_numpy(weights[self.part])


def answer_loss(model: Reader, body, ids, weights):
    """Weighted cross-entropy, and (answers' loss, shares of right tokens, of right first and of right second tokens)."""
    hidden = body(ids[:, :-1])
    kept = weights[:, :-1] > 0
    logits = model.logits(hidden[kept]).float()
    wanted, weight = ids[:, 1:][kept], weights[:, :-1][kept]
    losses = F.cross_entropy(logits, wanted, reduction="none")
    with torch.no_grad():
        answers = weight >= 1
        right = (logits.argmax(-1) == wanted).float()
        # No other token has the weight of the first or of the second one of an answer.
        opening = [right[weight == size].mean() for size in conversations.Recipe.opening_weights[:2]]
        report = [losses[answers].mean(), right[answers].mean(), *opening]
    return (losses * weight).sum() / weight[answers].sum(), report


def optimizers(model: Reader, options) -> list[torch.optim.Optimizer]:
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embedding" not in n]
    others = [p for n, p in model.named_parameters() if p.dim() != 2 or "embedding" in n]
    if options.optimizer == "muon":
        return [
            torch.optim.Muon(matrices, lr=options.muon_rate, weight_decay=0.0, momentum=0.95),
            torch.optim.AdamW(others, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        ]
    return [torch.optim.AdamW(matrices + others, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)]


def rate_share(step: int, total: int, passed: float, options) -> float:
    """Warm-up for 50 steps, level, and linear decay to nearly nothing over the last steps or seconds."""
    left = (total - step) / options.decay
    if options.decay_seconds:
        left = (options.seconds - passed) / options.decay_seconds
    share = torch.tensor(min(1.0, (step + 1) / 50, max(0.02, left)))
    if options.processes > 1:
        torch.distributed.broadcast(share, 0)
    return share.item()


def average(parameters, processes: int) -> None:
    """Gradients become their mean over all processes."""
    gradients = [p.grad for p in parameters]
    flat = torch.cat([g.flatten() for g in gradients])
    torch.distributed.all_reduce(flat)
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients])):
        gradient.copy_(mean.view_as(gradient) / processes)


def set_rates(steppers, rates, share: float) -> None:
    """For optimizers with one group of parameters each."""
    for stepper, rate in zip(steppers, rates):
        stepper.param_groups[0]["lr"] = rate * share


def advance(parameters, steppers) -> None:
    """One step along clipped gradients, which are then forgotten."""
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    for stepper in steppers:
        stepper.step()
        stepper.zero_grad(set_to_none=True)


def save(path: Path, model, optimizers_, step: int) -> None:
    state = {
        "shape": model.shape.dictionary(), "model": model.state_dict(), "step": step,
        "optimizers": [o.state_dict() for o in optimizers_],
    }
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def train(rank: int, options) -> None:
    torch.manual_seed(options.seed)
    if options.processes > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{options.meeting}", rank=rank, world_size=options.processes
        )
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    stages = curriculum.STAGES
    options.out.mkdir(parents=True, exist_ok=True)
    library = documents.load_library(options.books, False, options.cache)
    checkpoint = options.out / "checkpoint.pt"

    shape = Shape()
    for item in options.shape:
        key, value = item.split("=")
        shape = dataclasses.replace(shape, **{key: int(value)})
    model, first = Reader(shape), 0
    if options.resume:
        state = torch.load(checkpoint, weights_only=True)
        model = Reader(Shape(**state["shape"]))
        model.load_state_dict(state["model"])
        first = state["step"]
    elif options.start_from:
        model, first = export.load(options.start_from), options.first_step
    elif options.plain_start:
        initial.plain_start(model, options.seed)
    else:
        initial.start(model, options.seed)
    model.to(device)
    steppers = optimizers(model, options)
    rates = [group["lr"] for stepper in steppers for group in stepper.param_groups]  # stored ones are of another step
    if options.resume and options.keep_moments:
        for stepper, moments in zip(steppers, state["optimizers"]):
            stepper.load_state_dict(moments)
    body = torch.compile(model.hidden) if options.compile else model.hidden

    total = options.steps or sum(stage.steps for stage in stages)
    batches = torch.utils.data.DataLoader(
        torch.utils.data.Subset(Batches(library, options.seed, stages, rank, options.processes), range(first, total)),
        batch_size=None, num_workers=1, prefetch_factor=4,
    )
    log = open(options.out / "log.tsv", "a")
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    begun = saved = time.time()
    sums, count, seen = [0.0] * 5, 0, 0
    for step, ids, weights in batches:
        share = rate_share(step, total, time.time() - begun, options)
        groups = [group for stepper in steppers for group in stepper.param_groups]
        for group, rate in zip(groups, rates):
            group["lr"] = rate * share
        with torch.autocast(device, dtype=torch.bfloat16, enabled=not options.float32):
            loss, report = answer_loss(model, body, ids.to(device), weights.to(device))
        loss.backward()
        if options.processes > 1:
            average(model.parameters(), options.processes)
        # Before the weights are touched, and after averaging: all processes see the same.
        if not torch.isfinite(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)):
            raise SystemExit(f"The gradient of step {step} is no number. Weights saved before it are whole.")
        for stepper in steppers:
            stepper.step()
            stepper.zero_grad(set_to_none=True)
        sums = [a + b for a, b in zip(sums, [loss.item(), *(r.item() for r in report)])]
        count, seen = count + 1, seen + ids.numel()
        if (step + 1) % options.report == 0 and rank == 0:
            passed = time.time() - begun
            line = f"{step + 1}\t{ids.shape[1]}\t" + "\t".join(f"{s / count:.4f}" for s in sums)
            line += f"\t{passed:.0f}\t{seen / passed:.0f}"
            print(line, flush=True)
            print(line, file=log, flush=True)
            sums, count = [0.0] * 5, 0
        if rank == 0 and time.time() - saved > options.save_every:
            save(checkpoint, model, steppers, step + 1)
            saved = time.time()
        ending = torch.tensor(float(bool(stopped) or 0 < options.seconds < time.time() - begun))
        if options.processes > 1:
            torch.distributed.all_reduce(ending)
        if ending > 0:
            break
    if rank == 0:
        save(checkpoint, model, steppers, step + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("books", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/reader_cache"))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--keep-moments", action="store_true", help="resume the optimizers, too")
    parser.add_argument("--from", dest="start_from", type=Path, help="begin with the weights of a GGUF file or checkpoint")
    parser.add_argument("--first-step", type=int, default=0, help="with --from: the step to begin with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=0, help="stop here instead of at the end of the curriculum")
    parser.add_argument("--seconds", type=float, default=0, help="stop after this time")
    parser.add_argument("--decay", type=int, default=500, help="last steps, over which the rate falls to nothing")
    parser.add_argument("--decay-seconds", type=float, default=0, help="with --seconds: the same by the clock")
    parser.add_argument("--optimizer", choices=("adamw", "muon"), default="adamw")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--muon-rate", type=float, default=1e-2)
    parser.add_argument("--plain-start", action="store_true", help="random weights instead of initial.py's circuits")
    parser.add_argument("--float32", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--report", type=int, default=20)
    parser.add_argument("--save-every", type=float, default=240, help="seconds")
    parser.add_argument("--shape", nargs="*", default=[], help="for example layers=4 width=192")
    parser.add_argument("--processes", type=int, default=1, help="on a CPU: each takes a share of a step's rows")
    options = parser.parse_args()
    if options.processes == 1:
        train(0, options)
        return
    options.meeting = tempfile.mktemp(prefix="reader-training-")
    torch.multiprocessing.spawn(train, (options,), options.processes)


if __name__ == "__main__":
    main()
