"""The reader: a Llama-type decoder as llama.cpp's architecture "llama" defines it.

RMSNorm before attention and feed-forward, RoPE over neighbouring elements, grouped-query attention, SwiGLU, output
matrix tied to the embedding. RoPE turns only the first `rotated` pairs of a head; the others stand still
(rope_freqs.weight holds a huge divisor for them), so that contents compare equally well at any distance.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

STANDING = 1e12  # divisor of the frequencies of pairs that do not turn


@dataclass
class Shape:
    vocabulary: int = 4096
    width: int = 256
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    feed_forward: int = 512
    rope_base: float = 1e6
    rotated: int = 12  # pairs
    context: int = 4096
    epsilon: float = 1e-5

    def dictionary(self) -> dict:
        return asdict(self)

    def divisors(self) -> torch.Tensor:
        pairs = torch.arange(self.head_dim // 2)
        return torch.where(pairs < self.rotated, 1.0, STANDING)

    def frequencies(self) -> torch.Tensor:
        """Radians per position for each pair, (head_dim / 2)."""
        pairs = torch.arange(self.head_dim // 2, dtype=torch.float64)
        return self.rope_base ** (-2.0 * pairs / self.head_dim) / self.divisors()


def rotation(shape: Shape, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines, (positions, rotated)."""
    angles = positions.double()[..., None] * shape.frequencies()[: shape.rotated]
    return angles.cos().float(), angles.sin().float()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """x: (batch, heads, positions, head_dim); pairs are neighbouring elements."""
    turned = 2 * cos.shape[-1]
    even, odd = x[..., 0:turned:2], x[..., 1:turned:2]
    both = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)
    return torch.cat((both.type_as(x), x[..., turned:]), dim=-1)


class Attention(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.q = nn.Linear(shape.width, shape.heads * shape.head_dim, bias=False)
        self.k = nn.Linear(shape.width, shape.kv_heads * shape.head_dim, bias=False)
        self.v = nn.Linear(shape.width, shape.kv_heads * shape.head_dim, bias=False)
        self.o = nn.Linear(shape.heads * shape.head_dim, shape.width, bias=False)

    def heads_of(self, x: torch.Tensor, count: int) -> torch.Tensor:
        return x.unflatten(-1, (count, self.shape.head_dim)).transpose(1, 2)

    def forward(self, x, cos, sin, mask=None):
        shape = self.shape
        q = rotate(self.heads_of(self.q(x), shape.heads), cos, sin)
        k = rotate(self.heads_of(self.k(x), shape.kv_heads), cos, sin)
        v = self.heads_of(self.v(x), shape.kv_heads)
        group = shape.heads // shape.kv_heads
        if group > 1:
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self.o(mixed.transpose(1, 2).flatten(-2))


class Layer(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.width, shape.epsilon)
        self.attention = Attention(shape)
        self.ffn_norm = nn.RMSNorm(shape.width, shape.epsilon)
        self.gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x, cos, sin, mask=None):
        x = x + self.attention(self.attention_norm(x), cos, sin, mask)
        inner = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(inner)) * self.up(inner))


class Reader(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, shape.epsilon)

    def hidden(self, tokens: torch.Tensor, positions=None, mask=None) -> torch.Tensor:
        """(batch, positions) ids -> (batch, positions, width), normed for the output matrix. Causal, at positions 0 and on,
        unless `positions` or `mask` (rows, rows; true: sees) say otherwise."""
        if positions is None:
            positions = torch.arange(tokens.shape[1], device=tokens.device)
        cos, sin = rotation(self.shape, positions)
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden @ self.embedding.weight.T

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.logits(self.hidden(tokens))
