"""The norm of all gradients as one vector, and clipping in place."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["clip_grad_adaptive", "clip_grad_norm", "clip_grad_value", "grad_norm"]


def wide_norm(gradients: Any, p: Any) -> Any:
    return np.linalg.norm(np.concatenate([g.reshape(-1) for g in gradients]).astype(np.float64), p)


def grad_norm(gradients: Any, p: Any = 2.0) -> Any:
    """(Σ|g|ᵖ)^(1/p) over all elements of all arrays, the largest |g| for p = ∞"""
    return np.asarray(wide_norm(gradients, p), gradients[0].dtype)


def clip_grad_norm(gradients: Any, max_norm: Any, p: Any = 2.0, error_if_nonfinite: Any = False) -> Any:
    """g ← g·min(1, max_norm/(‖g‖ + 1e-6)); returns ‖g‖."""
    norm = wide_norm(gradients, p)
    if error_if_nonfinite and not np.isfinite(norm):
        raise RuntimeError(f"clip_grad_norm_: the norm of order {p} is {norm}, so the gradients can't be clipped")
    factor = np.minimum(1, max_norm / (norm + 1e-6))
    with np.errstate(invalid="ignore"):  # ∞·0
        for g in gradients:
            g[...] = g * factor
    return np.asarray(norm, gradients[0].dtype)


def clip_grad_value(gradients: Any, limit: Any) -> Any:
    """g ← min(max(g, −limit), limit)"""
    for g in gradients:
        np.clip(g, -limit, limit, out=g)


def clip_grad_adaptive(gradients: Any, weights: Any, clipping: Any, floor: Any, unitwise: Any) -> Any:
    """Where ‖g‖ > clipping·max(‖w‖, floor), g ← g·clipping·max(‖w‖, floor)/‖g‖, for each row or each array; returns the
    2-norm of all gradients before clipping."""
    total = grad_norm(gradients)
    for g, w in zip(gradients, weights):
        shape = (len(g) if unitwise and g.ndim else 1, -1)
        if g.size:
            norm, own = (np.linalg.norm(a.reshape(shape).astype(np.float64), axis=1) for a in (g, w))
            most = clipping * np.maximum(own, floor)
            factor = np.where(norm > most, most / np.where(norm > most, norm, 1), 1)
            g[...] = (g.reshape(shape) * factor[:, None]).reshape(g.shape)
    return total
