"""Numbers that the C++ tests draw alike, so that they need not be stored."""

import torch


def numbers(seed, count):
    """In [-1, 1), exact in float32: the generator of tst_oracle_patterns.cpp and tst_oracle_leverage.cpp."""
    drawn = []
    for _ in range(count):
        seed = (1664525 * seed + 1013904223) % 2**32
        drawn.append((seed >> 8) / 2**23 - 1)
    return torch.tensor(drawn)
