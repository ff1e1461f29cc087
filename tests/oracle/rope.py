"""Last logits of transformers with scaled RoPE beyond the original window: writes data/rope.json."""

import json
import sys
from pathlib import Path

import torch
import transformers

import golden_models

DATA = Path(__file__).resolve().parent / "data"
MODELS = ["llama-mha-f32", "qwen2-f32"]  # rotated pairs stored as neighbours, and as halves
WINDOW = 256  # the original one of the scaled variants
PAIRS = 16
SHORT = [round(1 + 0.02 * i, 2) for i in range(PAIRS)]
LONG = [round(1 + 0.35 * i**1.2, 3) for i in range(PAIRS)]


def variants(theta, head_dim):
    """(name, tokens read, rope_parameters)"""
    original = {"original_max_position_embeddings": WINDOW}
    return [
        ("plain", 700, {"rope_type": "default"}),
        ("linear", 700, {"rope_type": "linear", "factor": 4.0}),
        # transformers has no name for the NTK-aware base; the base is raised here by the published formula.
        ("ntk", 700, {"rope_type": "default", "rope_theta": theta * 4.0 ** (head_dim / (head_dim - 2))}),
        ("dynamic", 700, {"rope_type": "dynamic", "factor": 2.0, "max_position_embeddings": WINDOW}),
        ("dynamic in the window", 200, {"rope_type": "dynamic", "factor": 2.0, "max_position_embeddings": WINDOW}),
        ("yarn", 700, {"rope_type": "yarn", "factor": 4.0, **original}),
        ("yarn, other ends", 700,
         {"rope_type": "yarn", "factor": 8.0, "beta_fast": 16.0, "beta_slow": 2.0, **original}),
        ("yarn, ramp not rounded", 700, {"rope_type": "yarn", "factor": 4.0, "truncate": False, **original}),
        ("yarn, magnitude given", 700, {"rope_type": "yarn", "factor": 4.0, "attention_factor": 1.3, **original}),
        ("llama3", 700,
         {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, **original}),
        ("longrope", 700,
         {"rope_type": "longrope", "factor": 4.0, "short_factor": SHORT, "long_factor": LONG, **original}),
        ("longrope in the window", 200,
         {"rope_type": "longrope", "factor": 4.0, "short_factor": SHORT, "long_factor": LONG, **original}),
        ("longrope, magnitude given", 700,
         {"rope_type": "longrope", "factor": 4.0, "attention_factor": 1.19, "short_factor": SHORT,
          "long_factor": LONG, **original}),
    ]


def record(name, tokens):
    hparams = golden_models.facts(name)["hparams"]
    for title, count, parameters in variants(hparams["rope_freq_base"], hparams["head_dim"]):
        model = golden_models.load(name, parameters)
        with torch.no_grad():
            logits = model(torch.tensor([tokens[:count]])).logits[0, -1]
        rotary = model.model.rotary_emb
        yield {
            "model": name,
            "variant": title,
            "tokens": count,
            "rope": {"rope_theta": hparams["rope_freq_base"], **parameters},
            "frequencies": rotary.inv_freq.double().tolist(),
            "magnitude": float(rotary.attention_scaling),
            "logits": [round(x, 5) for x in logits.tolist()],
        }


def main():
    transformers.logging.set_verbosity_error()  # it would like windows to be whole multiples
    torch.set_num_threads(1)
    tokens = golden_models.prompt("llama-gqa-f32", "p700")
    cases = [case for name in MODELS for case in record(name, tokens)]
    head = {
        "made with": {"transformers": transformers.__version__, "torch": torch.__version__},
        "tokens": tokens,
    }
    path = DATA / "rope.json"
    path.write_text(
        json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n"
    )
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    sys.exit(main())
