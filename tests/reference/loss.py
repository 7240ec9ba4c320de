"""Losses. A reduction is 0 (none), 1 (mean) or 2 (sum)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.softmax import log_softmax

__all__ = [
    "bce_logits_loss",
    "bce_loss",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "kl_div_log",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
    "soft_cross_entropy",
]


def wide(*arrays: Any) -> Any:
    return [np.asarray(x, np.float64) for x in arrays]


def reduced(losses: Any, reduction: Any, total: Any, dtype: Any) -> Any:
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = losses, np.divide(losses.sum(), total), losses.sum()
    return np.asarray(sums[reduction], dtype)


def pointwise(formula: Any) -> Any:
    """A loss of input and target, elementwise: the formula in float64, reduced and rounded once."""

    def loss(x: Any, t: Any, reduction: Any, *parameter: Any) -> Any:
        losses = formula(*wide(x, t), *parameter)
        return reduced(losses, reduction, losses.size, x.dtype)

    loss.__doc__ = formula.__doc__
    return loss


@pointwise
def mse_loss(x: Any, t: Any) -> Any:
    """(x − t)²"""
    return (x - t) ** 2


@pointwise
def l1_loss(x: Any, t: Any) -> Any:
    """|x − t|"""
    return np.abs(x - t)


@pointwise
def smooth_l1_loss(x: Any, t: Any, beta: Any) -> Any:
    """½(x − t)²/beta where |x − t| < beta, else |x − t| − ½beta"""
    d = np.abs(x - t)
    return np.where(d < beta, d * d / (2 * beta), d - beta / 2)


@pointwise
def huber_loss(x: Any, t: Any, delta: Any) -> Any:
    """½(x − t)² where |x − t| ≤ delta, else delta·(|x − t| − ½delta)"""
    d = np.abs(x - t)
    return np.where(d <= delta, d * d / 2, delta * (d - delta / 2))


@pointwise
def bce_loss(x: Any, t: Any) -> Any:
    """−t·log x − (1 − t)·log(1 − x), with logarithms clamped at −100"""
    with np.errstate(divide="ignore"):
        return -t * np.maximum(np.log(x), -100) - (1 - t) * np.maximum(np.log1p(-x), -100)


@pointwise
def bce_logits_loss(x: Any, t: Any) -> Any:
    """−t·log σ(x) − (1 − t)·log(1 − σ(x)), with 0·∞ = 0"""
    w = np.where(x < 0, t, 1 - t)
    with np.errstate(invalid="ignore"):
        return np.log1p(np.exp(-np.abs(x))) + np.where(w == 0, 0, w * np.abs(x))


@pointwise
def kl_div(x: Any, t: Any) -> Any:
    """t·(log t − x), with 0·log 0 = 0"""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(t == 0, 0 - t * x, t * (np.log(t) - x))


@pointwise
def kl_div_log(x: Any, t: Any) -> Any:
    """eᵗ·(t − x)"""
    return np.exp(t) * (t - x)


def weights(weight: Any, x: Any) -> Any:
    return np.ones(x.shape[1]) if weight is None else weight.astype(np.float64)


def log_probabilities(x: Any) -> Any:
    """(log softmax, stats) of each row; stats are the largest x and Σ e^(x − largest)."""
    (rows,) = wide(x)
    top = rows.max(1)
    return log_softmax(rows), np.stack([top, np.exp(rows - top[:, None]).sum(1)], 1).astype(x.dtype)


def cross_entropy(x: Any, target: Any, weight: Any, ignore_index: Any, smoothing: Any, reduction: Any) -> Any:
    """−(1 − s)·w[t]·log p[t] − s/C·Σ w·log p; (loss, stats, classes, total)"""
    log_p, stats = log_probabilities(x)
    w, kept = weights(weight, x), target != ignore_index
    classes = np.where(kept, target, 0)
    chosen = w[classes] * np.take_along_axis(log_p, classes[:, None], 1)[:, 0]
    losses = np.where(kept, (smoothing - 1) * chosen - smoothing / x.shape[1] * (w * log_p).sum(1), 0)
    total = w[classes][kept].sum()
    return reduced(losses, reduction, total, x.dtype), stats, np.where(kept, target, -1), total


def soft_cross_entropy(x: Any, target: Any, weight: Any, smoothing: Any, reduction: Any) -> Any:
    """−Σ q·w·log p, q = (1 − s)·t + s/C; (loss, stats)"""
    log_p, stats = log_probabilities(x)
    q = (1 - smoothing) * target.astype(np.float64) + smoothing / x.shape[1]
    losses = -(q * weights(weight, x) * log_p).sum(1)
    return reduced(losses, reduction, len(x), x.dtype), stats


def nll_loss(x: Any, target: Any, weight: Any, ignore_index: Any, reduction: Any) -> Any:
    """−w[t]·x[t]; (loss, classes, total)"""
    w, kept = weights(weight, x), target != ignore_index
    classes = np.where(kept, target, 0)
    losses = np.where(kept, -w[classes] * np.take_along_axis(x, classes[:, None], 1)[:, 0], 0)
    total = w[classes][kept].sum()
    return reduced(losses, reduction, total, x.dtype), np.where(kept, target, -1), total
