"""Layer norm of x[rows, cols]."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.batch_norm import split

__all__ = ["layer_norm"]


def layer_norm(x: Any, weight: Any, bias: Any, eps: Any) -> Any:
    """y = (x − mean)/√(var + eps)·weight + bias; (y, mean, rstd), the mean rounded and what that lost"""
    if not x.size:
        return x.copy(), np.zeros((2, len(x)), x.dtype), np.zeros(len(x), x.dtype)
    wide = x.astype(np.float64)
    mean, rstd = wide.mean(1), 1 / np.sqrt(wide.var(1) + eps)
    y = (wide - mean[:, None]) * rstd[:, None] * (1 if weight is None else weight.reshape(-1).astype(np.float64))
    y = y if bias is None else y + bias.reshape(-1)
    return y.astype(x.dtype), split(mean, x.dtype), rstd.astype(x.dtype)
