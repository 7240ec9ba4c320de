"""Pooling of planes: the last one or two axes. ``windows`` has (outputs, kernel, stride, padding, dilation) for each of
them; a kernel of 0 makes the windows adaptive: window i is ⌊i·n/outputs⌋ ≤ j < ⌈(i + 1)·n/outputs⌉."""

from __future__ import annotations

import math

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op
from cygrad.ops.definition import constant
from cygrad.ops.index import scatter_add

Windows = tuple[tuple[int, int, int, int, int], ...]


@op
def max_pool(ctx: Node, input: Array, /, windows: Windows) -> Array:
    """y = max x over each window; NaN where the window has one."""
    y, index = kernels.max_pool(input, windows)
    ctx.save(index, input.shape, windows)
    return y


@max_pool.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx[index] += dy"""
    index, shape, windows = ctx.saved
    return kernels.max_pool_backward(dy, index, shape[-len(windows) :], windows)


@max_pool.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx[index] += dy"""
    index, shape, windows = ctx.saved
    return unpooled(dy, index, shape, len(windows))


@op
def max_pool_indexed(ctx: Node, input: Array, /, windows: Windows) -> tuple[Array, Array]:
    """y = max x over each window, and the position of each maximum in its plane."""
    y, index = kernels.max_pool(input, windows)
    ctx.save(index, input.shape, windows)
    return y, index.astype(np.int64)


@max_pool_indexed.gradient
def _(ctx: Node, dy: Array, _index: Array) -> Array:
    """dx[index] += dy"""
    index, shape, windows = ctx.saved
    return kernels.max_pool_backward(dy, index, shape[-len(windows) :], windows)


@max_pool_indexed.definition
def _(ctx: Node, dy: Tensor, _index: Tensor) -> Tensor:
    """dx[index] += dy"""
    index, shape, windows = ctx.saved
    return unpooled(dy, index, shape, len(windows))


def unpooled(dy: Tensor, index: Array, shape: tuple[int, ...], axes: int) -> Tensor:
    """Zeros of a shape, with dy added at the positions `index` of the planes, which are the last axes."""
    lead = shape[: len(shape) - axes]
    flat = constant(index).to(np.dtype(np.int64)).reshape(*lead, math.prod(index.shape[len(lead) :]))
    zeros = constant(np.zeros((*lead, math.prod(shape[len(lead) :])), dy.array.dtype))
    return scatter_add(zeros, flat, dy.reshape(flat.shape), dim=len(lead)).reshape(shape)


@op
def avg_pool(ctx: Node, input: Array, /, windows: Windows, padded: bool = True, divisor: float = 0.0) -> Array:
    """y = Σ x/divisor over each window; without a divisor over its number of elements, with the padding if `padded`."""
    ctx.save(input.shape[-len(windows) :], windows, padded, divisor)
    return kernels.avg_pool(input, windows, padded, divisor)


@avg_pool.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx += dy/divisor in each window"""
    return kernels.avg_pool_backward(dy, *ctx.saved)


@avg_pool.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx += dy/divisor in each window"""
    return spread(dy, *ctx.saved)


@op
def spread(ctx: Node, input: Array, /, sizes: tuple[int, ...], windows: Windows, padded: bool, divisor: float) -> Array:
    """y += x/divisor in each window: the transpose of avg_pool."""
    ctx.save(windows, padded, divisor)
    return kernels.avg_pool_backward(input, sizes, windows, padded, divisor)


@spread.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = Σ dy/divisor over each window"""
    return kernels.avg_pool(dy, *ctx.saved)


@spread.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = Σ dy/divisor over each window"""
    return avg_pool(dy, *ctx.saved)
