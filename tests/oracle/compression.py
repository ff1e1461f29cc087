"""What kvpress keeps of the golden prompts: writes data/NAME.json for tests/oracle/tst_oracle_*.cpp."""

import json
import logging
import sys
from importlib.metadata import version
from pathlib import Path

import kvpress
import torch
import transformers
from kvpress import (
    AdaKVPress,
    ChunkKVPress,
    ChunkPress,
    CompactorPress,
    ExpectedAttentionPress,
    KeyDiffPress,
    KeyRerotationPress,
    KnormPress,
    KVzipPress,
    ObservedAttentionPress,
    PyramidKVPress,
    SnapKVPress,
    StreamingLLMPress,
    TOVAPress,
)
from kvpress.presses import kvzip_press

import golden_models
from recorder import LOGIT_STEP, VOTING_ROWS, Recorder
from stand_in_tokenizer import FIRST, LATER, PREFIX, SUFFIX, StandInTokenizer

DATA = Path(__file__).resolve().parent / "data"
KEEPS = [0.75, 0.5, 0.25]
QUESTION_TOKENS = 6
# Document lengths are multiples of 4, so that no way of rounding a budget matters.
MODELS = {"llama-gqa-f32": ("p700", 640), "llama-mha-f32": ("p160", 152), "qwen2-f32": ("p160", 152),
          "llama-nemo-f32": ("p160", 152), "llama-yarn-f32": ("p700", 640)}


class ScaledCompactorPress(CompactorPress):
    """Compactor with the softmax scale 1/sqrt(d) of the paper, which kvpress leaves out: the query projection is
    scaled while the press scores, its code stays as it is. The sketch is the identity, so the leverage scores are
    exact and no random matrix has to be written down."""

    def score(self, module, *arguments, **named):
        projection = module.q_proj
        saved = [p.detach().clone() for p in projection.parameters()]
        random_matrix = torch.randn
        try:
            with torch.no_grad():
                for p in projection.parameters():
                    p.mul_(module.head_dim**-0.5)
            torch.randn = lambda *shape, **_: torch.eye(shape[-1]).expand(*shape) * shape[-1] ** 0.5
            return super().score(module, *arguments, **named)
        finally:
            torch.randn = random_matrix
            with torch.no_grad():
                for p, old in zip(projection.parameters(), saved):
                    p.copy_(old)


class ChunkSnapKVPress(SnapKVPress):
    """SnapKV for ChunkPress. kvpress turns the last queries of every chunk to the positions of the document's end; this
    hands each chunk the positions that it has. The chunks of a layer come one after the other."""

    begin = 0

    def score(self, module, hidden_states, keys, values, attentions, kwargs):
        end = self.begin + keys.shape[2]
        cos, sin = kwargs["position_embeddings"]
        own = {**kwargs, "position_embeddings": (cos[:, self.begin : end], sin[:, self.begin : end])}
        self.begin = end % cos.shape[1]
        return super().score(module, hidden_states, keys, values, attentions, own)


def cases(model, tokens):
    """(name, settings as ours are called, factory of the press by ratio, how it is run)"""
    dim = model.config.head_dim
    span = 16 if tokens % 16 == 0 else 19  # so that a whole number of chunks is what may be kept
    block = (tokens - 12) // 4  # divides what Compactor scores, so that its blocks need no padding
    snap = {"window": 16, "kernel": 5}

    def snapkv(ratio):
        return SnapKVPress(ratio, window_size=16, kernel_size=5)

    def expected(ratio):
        return ExpectedAttentionPress(ratio, n_future_positions=128, n_sink=4)

    return [
        ("snapkv", snap, snapkv, {}),
        ("pyramidkv", {"window": 4, "kernel": 5, "beta": 8},
         lambda r: PyramidKVPress(r, window_size=4, kernel_size=5, beta=8), {}),
        ("tova", {"window": 1}, TOVAPress, {}),
        ("expected-attention", {"sinks": 4, "horizon": 128}, expected, {}),
        ("expected-attention-mean", {"sinks": 4, "horizon": 128, "covariance": 0},
         lambda r: ExpectedAttentionPress(r, n_future_positions=128, n_sink=4, use_covariance=False), {}),
        ("keydiff", {"sinks": 0}, KeyDiffPress, {}),
        ("knorm", {"sinks": 0}, KnormPress, {}),
        ("observed-attention", {}, ObservedAttentionPress, {"eager": True}),
        ("streaming-llm", {"sinks": 4}, lambda r: StreamingLLMPress(r, n_sink=4), {}),
        ("snapkv+adakv", {**snap, "floor": 20}, lambda r: AdaKVPress(snapkv(r), alpha_safeguard=0.2), {}),
        ("expected-attention+adakv", {"sinks": 4, "horizon": 128, "floor": 20},
         lambda r: AdaKVPress(expected(r), alpha_safeguard=0.2), {}),
        ("keydiff+adakv", {"sinks": 0, "floor": 50},
         lambda r: AdaKVPress(KeyDiffPress(r), alpha_safeguard=0.5), {}),
        ("keydiff+compact", {"sinks": 0}, lambda r: KeyRerotationPress(KeyDiffPress(r)), {"compact": True}),
        ("snapkv+compact", snap, lambda r: KeyRerotationPress(snapkv(r)), {"compact": True}),
        ("streaming-llm+compact", {"sinks": 4},
         lambda r: KeyRerotationPress(StreamingLLMPress(r, n_sink=4)), {"compact": True}),
        ("keydiff+chunkpress", {"sinks": 0, "chunk": 40},
         lambda r: ChunkPress(KeyDiffPress(r), chunk_length=40), {}),
        ("knorm+chunkpress", {"sinks": 0, "chunk": 40},
         lambda r: ChunkPress(KnormPress(r), chunk_length=40), {}),
        ("snapkv+chunkpress", {**snap, "chunk": 80},
         lambda r: ChunkPress(ChunkSnapKVPress(r, window_size=16, kernel_size=5), chunk_length=80), {}),
        ("keydiff+chunkkv", {"sinks": 0, "chunk": span},
         lambda r: ChunkKVPress(KeyDiffPress(r), chunk_length=span), {}),
        ("snapkv+chunkkv", {"window": span, "kernel": 5, "chunk": span},
         lambda r: ChunkKVPress(SnapKVPress(r, window_size=span, kernel_size=5), chunk_length=span), {}),
        ("compactor", {"sinks": 8, "window": 4, "block": block, "sketch": dim},
         lambda r: ScaledCompactorPress(r, sink_size_start=8, sink_size_end=4, chunk_size=block,
                                        sketch_dimension=dim), {}),
    ]


def kvzip_cases():
    return [
        ("kvzip", {"piece": 64, "overlap": 8}, lambda r: KVzipPress(r, n_sink=4, chunk_size=64)),
        ("kvzip+adakv", {"piece": 64, "overlap": 8, "floor": 0},
         lambda r: KVzipPress(r, n_sink=4, chunk_size=64, layerwise=True)),
        ("kvzip-plus", {"piece": 64, "overlap": 8},
         lambda r: KVzipPress(r, n_sink=4, chunk_size=64, kvzip_plus_normalization=True)),
    ]


def record(name):
    label, tokens = MODELS[name]
    ids = golden_models.prompt(name, label)
    document, question = ids[:tokens], ids[tokens : tokens + QUESTION_TOKENS]
    model = golden_models.load(name)
    found = []

    plain = Recorder(model, document, question)
    for title, settings, make, how in cases(model, tokens):
        for keep in KEEPS:
            found.append({"method": title, "settings": settings, "keep": keep, **plain.run(make(1 - keep), **how)})
    kvzip_press.AutoTokenizer = StandInTokenizer
    zipped = Recorder(model, PREFIX + document[: tokens - len(PREFIX)], question)
    for title, settings, make in kvzip_cases():
        for keep in KEEPS:
            found.append({"method": title, "settings": settings, "keep": keep, **zipped.run(make(1 - keep))})
    return {
        "model": name,
        "made with": {"kvpress": version("kvpress"), "transformers": transformers.__version__, "torch": torch.__version__},
        "document": document,
        "question": question,
        "voting rows": VOTING_ROWS,
        "logit step": LOGIT_STEP,
        "kvzip": {"prefix": PREFIX, "suffix": SUFFIX, "first": FIRST, "later": LATER},
        "cases": found,
    }


def main():
    logging.getLogger(kvpress.__name__).setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for name in MODELS:
        difference = golden_models.check_against_llama_cpp(name)
        assert difference < 1e-3, (name, difference)
        data = record(name)
        head = {key: value for key, value in data.items() if key != "cases"}
        lines = [json.dumps(case) for case in data["cases"]]
        path = DATA / f"{name}.json"
        path.write_text(json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n")
        print(f"{path.name}: {len(lines)} cases, {path.stat().st_size} bytes; llama.cpp differs by {difference:.1e}")


if __name__ == "__main__":
    sys.exit(main())
