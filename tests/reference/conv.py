"""Convolutions, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["conv", "conv_transpose", "conv_weight", "convolve", "transpose"]


def pairs(x: Any, w: Any, y: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Iterator[tuple[Any, ...]]:
    """For each element of the kernel and position for which it is inside of the image: views of x, w and y, by group."""
    for k in np.ndindex(*w.shape[2:]):
        for q in np.ndindex(*y.shape[2:]):
            p = tuple(i * s + j * d - b for i, s, j, d, b in zip(q, stride, k, dilation, padding))
            if all(0 <= i < n for i, n in zip(p, x.shape[2:])):
                for g in range(groups):
                    c, f = w.shape[1], len(w) // groups
                    channels, filters = slice(g * c, (g + 1) * c), slice(g * f, (g + 1) * f)
                    yield (slice(None), channels, *p), (filters, slice(None), *k), (slice(None), filters, *q)


def conv(x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int, size: Any) -> Any:
    """y[n, f, q] = Σ over c, k of w[f, c, k]·x[n, c, q·stride + k·dilation − padding] + b[f]"""
    y = np.zeros((len(x), len(w), *size))
    for at_x, at_w, at_y in pairs(x, w, y, stride, padding, dilation, groups):
        y[at_y] += x[at_x].astype(np.float64) @ w[at_w].astype(np.float64).T
    return biased(y, b, x.dtype)


def conv_transpose(x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int, size: Any) -> Any:
    """y[n, c, q·stride + k·dilation − padding] = Σ over f, k of w[f, c, k]·x[n, f, q] + b[c]"""
    y = np.zeros((len(x), w.shape[1] * groups, *size))
    for at_y, at_w, at_x in pairs(y, w, x, stride, padding, dilation, groups):
        y[at_y] += x[at_x].astype(np.float64) @ w[at_w].astype(np.float64)
    return biased(y, b, x.dtype)


def conv_weight(
    dy: Any, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int, want_w: Any, want_b: Any
) -> Any:
    """dw[f, c, k] = Σ over n, q of dy[n, f, q]·x[n, c, q·stride + k·dilation − padding], db[f] = Σ dy[n, f, q]"""
    dw = np.zeros((dy.shape[1], x.shape[1] // groups, *kernel))
    for at_x, at_w, at_y in pairs(x, dw, dy, stride, padding, dilation, groups):
        dw[at_w] += dy[at_y].astype(np.float64).T @ x[at_x].astype(np.float64)
    db = dy.sum((0, *range(2, dy.ndim)), dtype=np.float64)
    return dw.astype(x.dtype) if want_w else None, db.astype(x.dtype) if want_b else None


def biased(y: Any, b: Any, dtype: Any) -> Any:
    return (y if b is None else y + b.reshape(-1, *[1] * (y.ndim - 2))).astype(dtype)


def each(value: Any, dims: int) -> Any:
    return (value,) * dims if isinstance(value, int) else tuple(value) * (dims // len(value))


def convolve(x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """PyTorch's conv1d and conv2d."""
    dims = w.ndim - 2
    stride, dilation = each(stride, dims), each(dilation, dims)
    spans = [d * (k - 1) for d, k in zip(dilation, w.shape[2:])]
    first = [s // 2 for s in spans] if padding == "same" else [0] * dims if padding == "valid" else each(padding, dims)
    both = spans if padding == "same" else [2 * p for p in first]
    size = [(n + p - r - 1) // s + 1 for n, p, r, s in zip(x.shape[-dims:], both, spans, stride)]
    y = conv(x if x.ndim == dims + 2 else x[None], w, b, stride, first, dilation, groups, size)
    return y if x.ndim == dims + 2 else y[0]


def transpose(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, extra: Any = 0, groups: int = 1, dilation: Any = 1
) -> Any:
    """PyTorch's conv_transpose1d and conv_transpose2d."""
    dims = w.ndim - 2
    stride, padding, extra, dilation = (each(v, dims) for v in (stride, padding, extra, dilation))
    sizes = zip(x.shape[-dims:], stride, padding, dilation, w.shape[2:], extra)
    size = [(n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, s, p, d, k, e in sizes]
    y = conv_transpose(x if x.ndim == dims + 2 else x[None], w, b, stride, padding, dilation, groups, size)
    return y if x.ndim == dims + 2 else y[0]
