"""Activations, elementwise."""

from __future__ import annotations

import numpy as np

__all__ = ["relu", "relu_backward"]


def relu(x):
    """y = max(x, 0), and NaN stays NaN."""
    return np.maximum(x, 0)


def relu_backward(dy, y):
    """dx = dy·[y > 0]"""
    return np.where(y > 0, dy, 0).astype(y.dtype)
