"""Softmax and log-softmax along any axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, op
from cygrad.ops.axes import checked_axis


def last(x: Array, axis: int) -> Array:
    """x with the axis at the end, for the kernels."""
    return x if axis == x.ndim - 1 else x.swapaxes(axis, -1)


@op
def softmax(ctx: Node, input: Array, *, dim: int, dtype: Any = None) -> Array:
    """eˣ/Σeˣ along dim.

    >>> cg.softmax(cg.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    x = np.atleast_1d(input if dtype is None else input.astype(dtype))
    axis = checked_axis("softmax", dim, input.ndim)
    y = kernels.softmax(last(x, axis))
    ctx.save(y, axis, input.dtype, input.shape)
    return last(y, axis).reshape(input.shape)


@softmax.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = y·(dy − Σ dy·y)"""
    y, axis, dtype, shape = ctx.saved
    dx = kernels.softmax_backward(last(np.atleast_1d(dy), axis), y)
    return last(dx, axis).reshape(shape).astype(dtype, copy=False)


@op
def log_softmax(ctx: Node, input: Array, *, dim: int, dtype: Any = None) -> Array:
    """x − log Σeˣ along dim."""
    x = np.atleast_1d(input if dtype is None else input.astype(dtype))
    axis = checked_axis("log_softmax", dim, input.ndim)
    y = kernels.log_softmax(last(x, axis))
    ctx.save(y, axis, input.dtype, input.shape)
    return last(y, axis).reshape(input.shape)


@log_softmax.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy − eʸ·Σ dy"""
    y, axis, dtype, shape = ctx.saved
    dx = kernels.log_softmax_backward(last(np.atleast_1d(dy), axis), y)
    return last(dx, axis).reshape(shape).astype(dtype, copy=False)
