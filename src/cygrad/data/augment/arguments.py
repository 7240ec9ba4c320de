"""Arguments of transforms, checked and brought to one form."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array

__all__ = ["Interval", "as_interval", "as_probability", "as_size", "uniform_in"]

Interval = tuple[float, float]


def as_probability(op: str, p: float) -> float:
    """Return p as a float in [0, 1]."""
    if not 0 <= p <= 1:
        raise ValueError(f"{op}: p must lie in [0, 1], got {p}")
    return float(p)


def as_interval(op: str, name: str, value: Any, center: float | None = None, low: float = -np.inf) -> Interval:
    """Return a pair (low, high) as floats. A number v becomes (center − v, center + v), clamped at `low`, or (v, v) if
    there is no center."""
    if isinstance(value, (int, float)):
        if center is not None and value < 0:
            raise ValueError(f"{op}: {name} must not be negative, got {value}")
        pair = (value, value) if center is None else (max(center - value, low), center + value)
    else:
        pair = tuple(value)
    if len(pair) != 2 or not low <= pair[0] <= pair[1] < np.inf:
        bound = "" if low == -np.inf else f" of at least {low:g}"
        raise ValueError(f"{op}: {name} must be a number or an ascending pair{bound}, got {value!r}")
    return float(pair[0]), float(pair[1])


def as_size(op: str, size: Any) -> tuple[int, int]:
    """Return (height, width) from a pair or a single integer."""
    pair = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(pair) != 2 or any(not isinstance(n, (int, np.integer)) or n < 1 for n in pair):
        raise ValueError(f"{op}: size must be one or two integers of at least 1, got {size!r}")
    return int(pair[0]), int(pair[1])


def uniform_in(interval: Interval, uniform: Array) -> Array:
    """Map uniform samples from [0, 1) to an interval."""
    low, high = interval
    return low + (high - low) * uniform
