"""Sums, maxima and minima over the axes first..last − 1."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["max_axes", "min_axes", "sum_axes"]


def sum_axes(x: Any, first: Any, last: Any, scale: Any = 1.0) -> Any:
    """scale·Σ x"""
    return np.asarray(scale * np.sum(x, tuple(range(first, last)), np.float64), x.dtype)


def max_axes(x: Any, first: Any, last: Any) -> Any:
    """The largest element, NaN if there is one."""
    return np.asarray(np.max(x, tuple(range(first, last))))


def min_axes(x: Any, first: Any, last: Any) -> Any:
    """The smallest element, NaN if there is one."""
    return np.asarray(np.min(x, tuple(range(first, last))))
