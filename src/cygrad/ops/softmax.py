"""Softmax and log-softmax along any axis."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad._typing import Array, DType
from cygrad.autograd import Node, op
from cygrad.ops.axes import checked_axis


def last(x: Array, axis: int) -> Array:
    """x with the axis at the end, for the kernels; a number as an array of one."""
    if not x.ndim:
        return x.reshape(1)
    return x if axis == x.ndim - 1 else x.swapaxes(axis, -1)


def back(y: Array, axis: int, shape: tuple[int, ...]) -> Array:
    """What `last` gave, in the shape before."""
    return last(y, axis) if shape else y.reshape(())


@op
def softmax(ctx: Node, input: Array, *, dim: int, dtype: DType = None) -> Array:
    """eˣ/Σeˣ along dim.

    >>> cg.softmax(cg.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    x = input if dtype is None else input.astype(dtype)
    axis = checked_axis("softmax", dim, input.ndim)
    y = kernels.softmax(last(x, axis))
    ctx.save(y, axis, input.dtype, input.shape)
    return back(y, axis, input.shape)


@softmax.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = y·(dy − Σ dy·y)"""
    y, axis, dtype, shape = ctx.saved
    dx = kernels.softmax_backward(last(dy, axis), y)
    return back(dx, axis, shape).astype(dtype, copy=False)


@op
def log_softmax(ctx: Node, input: Array, *, dim: int, dtype: DType = None) -> Array:
    """x − log Σeˣ along dim."""
    x = input if dtype is None else input.astype(dtype)
    axis = checked_axis("log_softmax", dim, input.ndim)
    y = kernels.log_softmax(last(x, axis))
    ctx.save(y, axis, input.dtype, input.shape)
    return back(y, axis, input.shape)


@log_softmax.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy − eʸ·Σ dy"""
    y, axis, dtype, shape = ctx.saved
    dx = kernels.log_softmax_backward(last(dy, axis), y)
    return back(dx, axis, shape).astype(dtype, copy=False)
