"""Rows of a table, gathered by index, and their gradients scattered back."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["gather_rows", "scatter_rows"]


def gather_rows(x: Any, index: Any) -> Any:
    """(y, index): y[i…] = x[index[i…]]"""
    return x[index], index.astype(np.int64)


def scatter_rows(dy: Any, index: Any, rows: Any, padding: Any = -1) -> Any:
    """dx[rows, …]: the sum of all dy[i…] whose index is the row; row `padding` stays zero."""
    dx = np.zeros((rows, *dy.shape[index.ndim :]))
    np.add.at(dx, index, dy)
    if padding >= 0:
        dx[padding] = 0
    return dx.astype(dy.dtype)
