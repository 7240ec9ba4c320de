"""Dropout, its mask drawn by Philox 4×32-10: J. K. Salmon et al. (2011), "Parallel random numbers"."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["dropout", "dropout_backward", "dropout_draws", "philox"]

WORD = np.uint64(0xFFFFFFFF)


def philox(seed: Any, counters: Any) -> Any:
    """Four words of 32 bits for each counter: array [4, len(counters)] of uint64."""
    shift = np.uint64(32)
    x = [counters & WORD, counters >> shift, np.zeros_like(counters), np.zeros_like(counters)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p, q = x[0] * np.uint64(0xD2511F53), x[2] * np.uint64(0xCD9E8D57)
        x = [(q >> shift) ^ x[1] ^ np.uint64(k0), q & WORD, (p >> shift) ^ x[3] ^ np.uint64(k1), p & WORD]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.array(x)


def dropout(x: Any, p: Any, seed: Any, offset: Any, want_mask: Any = True) -> Any:
    """(y, mask): y = x·mask/(1 − p), mask 0 where 16 bits are below p·2¹⁶, rounded. A group of 8 counters gives 32
    words: first words 0 and 1 of each, then words 2 and 3; each word gives its low half, then its high half."""
    draws = dropout_draws(x)
    counters = np.arange(draws, dtype=np.uint64) + np.uint64(offset)
    words = philox(seed, counters).reshape(2, 2, -1, 8).transpose(2, 0, 3, 1).reshape(-1)
    halves = np.stack([words & np.uint64(0xFFFF), words >> np.uint64(16)], 1).reshape(-1)[: x.size].reshape(x.shape)
    mask = (halves >= np.uint64(p * 2**16 + 0.5)).astype(np.uint8)
    return dropout_backward(x, mask, p), mask if want_mask else None


def dropout_backward(dy: Any, mask: Any, p: Any) -> Any:
    """dx = dy·mask/(1 − p)"""
    return dy * mask * dy.dtype.type(1 / (1 - p) if p < 1 else 0)


def dropout_draws(x: Any) -> Any:
    """The number of counters that one dropout of x uses."""
    return (x.size + 63) // 64 * 8
