"""Attention with the matrix of weights."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["attention"]


def attention(q: Any, k: Any, v: Any, mask: Any, causal: bool, scale: float) -> Any:
    """softmax(scale·q·kᵀ + mask)·v, 0 for a query that sees no key; a mask of bool is True where a key is seen"""
    group = q.shape[-3] // max(k.shape[-3], 1) if q.ndim > 2 else 1
    wide_k, wide_v = (np.repeat(x.astype(np.float64), group, -3) if group > 1 else x.astype(np.float64) for x in (k, v))
    scores = scale * (q.astype(np.float64) @ wide_k.swapaxes(-1, -2))
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    top = scores.max(-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - np.where(np.isinf(top), 0, top))
    total = e.sum(-1, keepdims=True)
    return ((e / np.where(total == 0, 1, total)) @ wide_v).astype(q.dtype)
