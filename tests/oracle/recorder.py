"""Runs one press of kvpress on one document and writes down what it kept and what follows from it.

The press is a black box: what it kept is read off the cache afterwards (or off the list of masked pairs, for the
presses that only mask). Only where the press turns the keys, the list of indices is taken on its way to the turning.
"""

import copy

import torch
from kvpress import ChunkPress, KeyRerotationPress, ScorerPress
from transformers import DynamicCache

VOTING_ROWS = 16  # last rows of the document whose attention the kept mass is measured with
ROUNDING = 1e-6  # relative difference below which two float32 scores are taken as equal
LOGIT_STEP = 8  # every eighth logit is written down


def ranges(indices):
    """[0, 1, 2, 7] -> "0-2 7"."""
    parts = []
    for index in indices:
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


class TurnedIndices:
    """Overhears the indices that KeyRerotationPress hands to its turning function, layer by layer."""

    def __enter__(self):
        self.layers = []
        self.original = KeyRerotationPress.rerotate_keys

        def overheard(module, indices, keys):
            self.layers.append(indices[0].tolist())
            return self.original(module, indices, keys)

        KeyRerotationPress.rerotate_keys = staticmethod(overheard)
        return self.layers

    def __exit__(self, *_):
        KeyRerotationPress.rerotate_keys = staticmethod(self.original)


class Scores:
    """Overhears the scores of a plain scorer, or of the one inside a wrapper that cuts where the scorer alone would."""

    def __init__(self, press, tokens):
        scorer = press.press if isinstance(press, (KeyRerotationPress, ChunkPress)) else press
        self.layers = []  # [layer][piece] (KV heads, tokens of the piece); ChunkPress scores in pieces
        self.tokens = tokens
        if isinstance(scorer, ScorerPress):
            original = scorer.score

            def overheard(*arguments, **named):
                scores = original(*arguments, **named)
                self.add(scores[0].double())
                return scores

            scorer.score = overheard

    def add(self, piece):
        if not self.layers or sum(p.shape[1] for p in self.layers[-1]) == self.tokens:
            self.layers.append([])
        self.layers[-1].append(piece)

    def ties(self, layer, head, kept):
        """Tokens whose score cannot be told from the last kept one's in float32, when some stay and some go."""
        tied, begin = [], 0
        for piece in self.layers[layer] if self.layers else []:
            scores = piece[head]
            stays = torch.zeros_like(scores, dtype=torch.bool)
            stays[[token - begin for token in kept if begin <= token < begin + len(scores)]] = True
            last = scores[stays].min()
            equal = (scores - last).abs() <= ROUNDING * last.abs()
            if bool((equal & ~stays).any()):
                tied += (equal.nonzero().flatten() + begin).tolist()
            begin += len(scores)
        return tied


class Recorder:
    def __init__(self, model, document, question):
        self.model = model
        self.document = torch.tensor([document])
        self.question = question
        self.layers = model.config.num_hidden_layers
        self.heads = model.config.num_key_value_heads
        self.dense = self.prefill()
        self.attention = self.dense_attention()

    def prefill(self, press=None):
        cache = DynamicCache()
        with torch.no_grad():
            if press is None:
                self.model.model(input_ids=self.document, past_key_values=cache)
            else:
                with press(self.model):
                    self.model.model(input_ids=self.document, past_key_values=cache)
        return cache

    def dense_attention(self):
        """[layer] (KV heads, tokens): mean weight over the last rows and the group's query heads."""
        self.model.set_attn_implementation("eager")
        with torch.no_grad():
            weights = self.model.model(input_ids=self.document, output_attentions=True).attentions
        self.model.set_attn_implementation("sdpa")
        tokens = self.document.shape[1]
        return [w[0, :, -VOTING_ROWS:].mean(1).view(self.heads, -1, tokens).mean(1) for w in weights]

    def run(self, press, eager=False, compact=False):
        """`compact`: the press turns the keys to positions 0, 1, ..., and the question follows these."""
        for layer in self.model.model.layers:
            layer.self_attn.masked_key_indices = None
        self.model.set_attn_implementation("eager" if eager else "sdpa")
        scores = Scores(press, self.document.shape[1])
        with TurnedIndices() as turned:
            cache = self.prefill(press)
        self.model.set_attn_implementation("sdpa")
        kept = turned or [
            [self.kept(cache, layer, head) for head in range(self.heads)] for layer in range(self.layers)
        ]
        mass = [
            [round(float(self.attention[layer][head][kept[layer][head]].sum()), 6) for head in range(self.heads)]
            for layer in range(self.layers)
        ]
        first = cache.get_seq_length() if compact else self.document.shape[1]
        ties = {
            f"{layer} {head}": ranges(tied)
            for layer in range(self.layers)
            for head in range(self.heads)
            if (tied := scores.ties(layer, head, kept[layer][head]))
        }
        return {
            "kept": [[ranges(head) for head in layer] for layer in kept],
            **({"ties": ties} if ties else {}),
            "mass": mass,
            "logits": self.logits_after(cache, first),
        }

    def kept(self, cache, layer, head):
        """Ascending indices of the document's tokens that are still there."""
        masked = getattr(self.model.model.layers[layer].self_attn, "masked_key_indices", None)
        tokens = self.document.shape[1]
        if masked is not None:
            gone = {t for h, t in zip(masked[1].tolist(), masked[2].tolist()) if h == head}
            return [token for token in range(tokens) if token not in gone]
        distances = torch.cdist(
            cache.layers[layer].keys[0, head],
            self.dense.layers[layer].keys[0, head],
            compute_mode="donot_use_mm_for_euclid_dist",
        )
        nearest = distances.min(1)
        assert float(nearest.values.max()) < 1e-2, "a kept key is not one of the document"
        kept = sorted(nearest.indices.tolist())
        assert len(set(kept)) == len(kept), "two kept keys are the same token's"
        return kept

    def logits_after(self, cache, first):
        """Every LOGIT_STEP-th logit after the question, read token by token at positions first, first + 1, ..."""
        cache = copy.deepcopy(cache)
        with torch.no_grad():
            for i, token in enumerate(self.question):
                logits = self.model(
                    input_ids=torch.tensor([[token]]),
                    past_key_values=cache,
                    position_ids=torch.tensor([[first + i]]),
                ).logits
        return [round(x, 5) for x in logits[0, -1, ::LOGIT_STEP].tolist()]
