"""What validation measures: scikit-learn's scores of a network's outputs, without its checks."""

from __future__ import annotations

import numpy as np

from cygrad.sklearn.samples import Samples
from cygrad.tensor import Tensor

__all__ = ["accuracy", "r2", "r2_of_exp"]


def accuracy(z: Tensor, held: Samples) -> float:
    """The weighted share of samples whose class, or all of whose labels, are right; z are scores (N, C)."""
    right = z.array.argmax(1) == held.y if held.y.ndim == 1 else ((z.array > 0) == (held.y > 0.5)).all(1)
    return float(np.average(right, weights=held.weight))


def r2(z: Tensor, held: Samples) -> float:
    """R² = 1 − Σ w(y − z)²/Σ w(y − ȳ)², the mean over the columns; a column without variance counts 1 where it is met
    exactly, else 0."""
    y, predicted = held.y.astype(np.float64), z.array.astype(np.float64)
    residual = np.average((y - predicted) ** 2, axis=0, weights=held.weight)
    spread = np.average((y - np.average(y, axis=0, weights=held.weight)) ** 2, axis=0, weights=held.weight)
    varied = spread > 0
    return float(np.where(varied, 1 - residual / np.where(varied, spread, 1), residual == 0).mean())


def r2_of_exp(z: Tensor, held: Samples) -> float:
    """R² of eᶻ."""
    return r2(z.exp(), held)
