"""Pooling of the last one or two axes, window by window."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

__all__ = ["avg_pool", "max_pool", "pool_window"]


def pool_window(n: int, i: int, window: Any) -> tuple[range, int]:
    """The positions of window i in an axis of size n, and its number of elements with those in the padding."""
    out, kernel, stride, padding, dilation = window
    if not kernel:
        inside = range(i * n // out, -(-(i + 1) * n // out))
        return inside, len(inside)
    begin = i * stride - padding
    positions = range(begin, begin + (kernel - 1) * dilation + 1, dilation)
    inside = [p for p in positions if 0 <= p < n]
    padded = min(begin + kernel, n + padding) - begin
    return range(inside[0], inside[-1] + 1, dilation) if inside else range(0), padded


def each_window(x: Any, windows: Any) -> Any:
    """(index of the output, slices of the plane, elements with padding) of all windows."""
    sizes = x.shape[x.ndim - len(windows) :]
    for at in itertools.product(*[range(w[0]) for w in windows]):
        found = [pool_window(n, i, w) for n, i, w in zip(sizes, at, windows)]
        yield at, [r for r, _ in found], int(np.prod([count for _, count in found]))


def max_pool(x: Any, windows: Any) -> Any:
    """(y, index): the maximum of each window and its position in the plane: the first, or the last NaN"""
    lead, sizes = x.shape[: x.ndim - len(windows)], x.shape[x.ndim - len(windows) :]
    y = np.empty(lead + tuple([w[0] for w in windows]), x.dtype)
    index = np.empty(y.shape, np.int64)
    for at, ranges, _ in each_window(x, windows):
        positions = np.ravel_multi_index(np.meshgrid(*ranges, indexing="ij"), sizes).ravel()
        values = x.reshape(*lead, int(np.prod(sizes)))[..., positions]
        last_nan = len(positions) - 1 - np.isnan(values)[..., ::-1].argmax(-1)
        chosen = np.where(np.isnan(values).any(-1), last_nan, np.where(np.isnan(values), -np.inf, values).argmax(-1))
        y[(..., *at)] = np.take_along_axis(values, chosen[..., None], -1)[..., 0]
        index[(..., *at)] = positions[chosen]
    return y, index


def avg_pool(x: Any, windows: Any, padded: bool = True, divisor: float = 0.0) -> Any:
    """The sum of each window over the divisor, or over its number of elements"""
    y = np.empty(x.shape[: x.ndim - len(windows)] + tuple([w[0] for w in windows]), x.dtype)
    for at, ranges, count in each_window(x, windows):
        inside = int(np.prod([len(r) for r in ranges]))
        part = x[(..., *np.ix_(*ranges))].astype(np.float64).sum(tuple(range(-len(windows), 0)))
        y[(..., *at)] = part / (divisor or (count if padded else inside))
    return y
