"""Validation scores: scikit-learn's metrics, computed from a network's outputs without its input checks."""

from __future__ import annotations

import numpy as np

from cygrad.sklearn.samples import Samples
from cygrad.tensor import Tensor

__all__ = ["accuracy", "r2", "r2_of_exp"]


def accuracy(z: Tensor, samples: Samples) -> float:
    """The weighted fraction of samples whose class, or whose labels without exception, are predicted correctly from
    scores z (N, C)."""
    y = samples.y
    correct = z.array.argmax(1) == y if y.ndim == 1 else ((z.array > 0) == (y > 0.5)).all(1)
    return float(np.average(correct, weights=samples.weight))


def r2(z: Tensor, samples: Samples) -> float:
    """R² = 1 − Σ w(y − z)²/Σ w(y − ȳ)², averaged over the columns; a column without variance scores 1 if it is
    predicted exactly, else 0."""
    y, predicted = samples.y.astype(np.float64), z.array.astype(np.float64)
    residual = np.average((y - predicted) ** 2, axis=0, weights=samples.weight)
    spread = np.average((y - np.average(y, axis=0, weights=samples.weight)) ** 2, axis=0, weights=samples.weight)
    varied = spread > 0
    return float(np.where(varied, 1 - residual / np.where(varied, spread, 1), residual == 0).mean())


def r2_of_exp(z: Tensor, samples: Samples) -> float:
    """R² of the predictions eᶻ."""
    return r2(z.exp(), samples)
