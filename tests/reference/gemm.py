"""Matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ensemble_linear", "ensemble_linear_backward", "linear", "linear_backward", "matmul"]


def wide(x: Any) -> Any:
    return np.asarray(x, np.float64)


def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """C[…, m, n] = A[…, m, k]·B[…, k, n]; with `out`, C is added to it."""
    c = np.matmul(wide(a), wide(b)).astype(a.dtype)
    if out is None:
        return c
    out += c
    return out


def linear(x: Any, w: Any, b: Any = None) -> Any:
    """y[…, o] = x[…, i]·w[o, i]ᵀ + b[o]"""
    return np.asarray(np.matmul(wide(x), wide(w).T) + (0 if b is None else wide(b)), x.dtype)


def linear_backward(dy: Any, x: Any, w: Any, want_x: Any, want_w: Any, want_b: Any) -> Any:
    """dx = dy·w, dw = dyᵀ·x, db = Σ dy over the rows"""
    rows = wide(dy).reshape(-1, w.shape[0])
    dx = np.matmul(wide(dy), wide(w)).astype(dy.dtype) if want_x else None
    dw = (rows.T @ wide(x).reshape(len(rows), w.shape[1])).astype(dy.dtype) if want_w else None
    return dx, dw, rows.sum(0).astype(dy.dtype) if want_b else None


def ensemble_linear(x: Any, w: Any, b: Any = None) -> Any:
    """y[k, n, o] = x[k, n, i]·w[k, o, i]ᵀ + b[k, o]; all members may share x[n, i]"""
    y = np.matmul(wide(x), wide(w).swapaxes(1, 2))
    return np.asarray(y + (0 if b is None else wide(b)[:, None]), x.dtype)


def ensemble_linear_backward(dy: Any, x: Any, w: Any, want_x: Any, want_w: Any, want_b: Any) -> Any:
    """dx = dy·w, dw = dyᵀ·x, db = Σ dy over the rows, for each member"""
    dx = np.matmul(wide(dy), wide(w)).astype(dy.dtype) if want_x else None
    dw = np.matmul(wide(dy).swapaxes(1, 2), wide(x)).astype(dy.dtype) if want_w else None
    return dx, dw, wide(dy).sum(1).astype(dy.dtype) if want_b else None
