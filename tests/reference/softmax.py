"""Softmax and log-softmax over the last axis."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def softmax(x: Any) -> Any:
    """y = eˣ/Σ eˣ, NaN if all of a row is −∞."""
    with np.errstate(invalid="ignore"):
        e = np.exp(x - x.max(-1, keepdims=True, initial=-np.inf), dtype=np.float64)
        return (e / e.sum(-1, keepdims=True)).astype(x.dtype)


def softmax_backward(dy: Any, y: Any) -> Any:
    """dx = y·(dy − Σ dy·y)"""
    return (y * (dy - (dy * y).sum(-1, keepdims=True, dtype=np.float64))).astype(y.dtype)


def log_softmax(x: Any) -> Any:
    """y = x − log Σ eˣ"""
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.subtract(x, x.max(-1, keepdims=True, initial=-np.inf), dtype=np.float64)
        return (centred - np.log(np.exp(centred).sum(-1, keepdims=True))).astype(x.dtype)


def log_softmax_backward(dy: Any, y: Any) -> Any:
    """dx = dy − eʸ·Σ dy"""
    return (dy - np.exp(y) * dy.sum(-1, keepdims=True, dtype=np.float64)).astype(y.dtype)
