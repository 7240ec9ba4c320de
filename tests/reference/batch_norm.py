"""Batch norm of x[rows, channels, …]."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["batch_norm", "batch_norm_eval"]


def along_channels(v: Any, x: Any) -> Any:
    """One value per channel, in a shape that broadcasts with x."""
    return np.asarray(v, np.float64).reshape(1, -1, *[1] * (x.ndim - 2))


def affine(x: Any, mean: Any, rstd: Any, weight: Any, bias: Any) -> Any:
    y = (x - along_channels(mean, x)) * along_channels(rstd, x)
    y = y if weight is None else y * along_channels(weight, x)
    return (y if bias is None else y + along_channels(bias, x)).astype(x.dtype)


def batch_norm(
    x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, momentum: Any, eps: Any, batches: Any = None
) -> Any:
    """(y, mean, rstd) in training, the mean rounded and what that lost; running ← (1 − momentum)·running + momentum·batch, the variance with n − 1."""
    momentum = momentum if batches is None else 1 / (int(batches) + 1)
    axes, n = (0, *range(2, x.ndim)), x.size // max(1, x.shape[1])
    mean, var = x.mean(axes, dtype=np.float64), x.astype(np.float64).var(axes)
    rstd = 1 / np.sqrt(var + eps)
    for running, batch in (running_mean, mean), (running_var, var * n / (n - 1)):
        if running is not None:
            running[...] = (1 - momentum) * running.astype(np.float64) + momentum * batch
    return affine(x, mean, rstd, weight, bias), split(mean, x.dtype), rstd.astype(x.dtype)


def split(mean: Any, dtype: Any) -> Any:
    """(the rounded means, what the rounding lost)"""
    rounded = mean.astype(dtype)
    return np.stack([rounded, (mean - rounded).astype(dtype)])


def batch_norm_eval(x: Any, weight: Any, bias: Any, mean: Any, var: Any, eps: Any) -> Any:
    """(y, rstd) from given statistics."""
    rstd = 1 / np.sqrt(var.astype(np.float64) + eps)
    return affine(x, mean, rstd, weight, bias), rstd.astype(x.dtype)
