"""Patches of images as columns, and the sum of columns at their places. ``windows`` has (outputs, kernel, stride,
padding, dilation) for rows and columns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op

Window = tuple[int, int, int, int, int]
Windows = tuple[Window, Window]


def taps(window: Window, n: int) -> Iterator[tuple[slice, slice]]:
    """For each element of a window: the windows in which it lies in the plane, and its positions there."""
    out, kernel, stride, padding, dilation = window
    for k in range(kernel):
        shift = k * dilation - padding
        first, last = max(0, -(shift // stride)), min(out, (n - 1 - shift) // stride + 1)
        last = max(first, last)
        begin = first * stride + shift
        yield slice(first, last), slice(begin, begin + (last - first) * stride, stride)


def patches_of(x: Array, windows: Windows) -> Array:
    """y[n, (c, i, j), (row, col)] = x[n, c, row·stride − padding + i·dilation, …], 0 outside of the image."""
    (high, *_), (wide, *_) = windows
    (_, rows, *_), (_, cols, *_) = windows
    batch, channels = x.shape[:2]
    y = np.zeros((batch, channels, rows, cols, high, wide), x.dtype)
    across = list(taps(windows[1], x.shape[3]))
    for i, (down, from_rows) in enumerate(taps(windows[0], x.shape[2])):
        for j, (right, from_cols) in enumerate(across):
            y[:, :, i, j, down, right] = x[:, :, from_rows, from_cols]
    return y.reshape(batch, channels * rows * cols, high * wide)


def sums_of(y: Array, sizes: tuple[int, int], windows: Windows) -> Array:
    """The transpose of patches_of: each column added at its place."""
    (high, rows, *_), (wide, cols, *_) = windows
    batch, channels = y.shape[0], y.shape[1] // (rows * cols)
    parts = y.reshape(batch, channels, rows, cols, high, wide)
    x = np.zeros((batch, channels, *sizes), y.dtype)
    across = list(taps(windows[1], sizes[1]))
    for i, (down, to_rows) in enumerate(taps(windows[0], sizes[0])):
        for j, (right, to_cols) in enumerate(across):
            x[:, :, to_rows, to_cols] += parts[:, :, i, j, down, right]
    return x


@op
def patches(ctx: Node, input: Array, /, windows: Windows) -> Array:
    """The patches of images (N, C, H, W) as columns: (N, C·kernel rows·kernel columns, patches)."""
    ctx.save(input.shape[2:], windows)
    return patches_of(input, windows)


@patches.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = Σ columns of dy at their places"""
    return sums_of(dy, *ctx.saved)


@patches.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = Σ columns of dy at their places"""
    return folded(dy, *ctx.saved)


@op
def folded(ctx: Node, input: Array, /, sizes: tuple[int, int], windows: Windows) -> Array:
    """Images of the sizes (H, W) to which each column is added at its place: the transpose of patches."""
    ctx.save(windows)
    return sums_of(input, sizes, windows)


@folded.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = patches of dy"""
    return patches_of(dy, *ctx.saved)


@folded.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = patches of dy"""
    return patches(dy, *ctx.saved)
