"""Softmax and log-softmax along any dimension."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad._typing import Array, DType, Tensor
from cygrad.autograd import Node, op
from cygrad.ops.axes import checked_axis

__all__ = ["log_softmax", "softmax"]


def axis_last(x: Array, axis: int) -> Array:
    """x with the axis moved to the end, where the kernels expect it, and with at least one axis."""
    if not x.ndim:
        return x.reshape(1)
    return x if axis == x.ndim - 1 else x.swapaxes(axis, -1)


def axis_restored(y: Array, axis: int, shape: tuple[int, ...]) -> Array:
    """The inverse of `axis_last` for an array of that shape, in C order."""
    if not shape:
        return y.reshape(())
    return y if axis == y.ndim - 1 else kernels.copied(y.swapaxes(axis, -1))


@op
def softmax(ctx: Node, input: Array, *, dim: int, dtype: DType = None) -> Array:
    """Return the softmax: y = eˣ/Σeˣ along a dimension.

    Args:
        input: a tensor of floats.
        dim: the dimension along which the result sums to 1.
        dtype: the dtype to compute in; by default that of the input.

    >>> cg.softmax(cg.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    x = input if dtype is None else input.astype(dtype)
    axis = checked_axis("softmax", dim, input.ndim)
    y = kernels.softmax(axis_last(x, axis))
    ctx.save(y, axis, input.dtype, input.shape)
    return axis_restored(y, axis, input.shape)


@softmax.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = y·(dy − Σ dy·y)"""
    y, axis, dtype, shape = ctx.saved
    dx = kernels.softmax_backward(axis_last(dy, axis), y)
    return axis_restored(dx, axis, shape).astype(dtype, copy=False)


@softmax.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = y·(dy − Σ dy·y)"""
    saved, axis, dtype, shape = ctx.saved
    y = ctx.output(axis_restored(saved, axis, shape))
    dx = y * (dy - (dy * y).sum(axis, keepdim=True))
    return dx if dx.dtype == dtype else dx.to(dtype)


@op
def log_softmax(ctx: Node, input: Array, *, dim: int, dtype: DType = None) -> Array:
    """Return the logarithm of the softmax: y = x − log Σeˣ along a dimension.

    Args:
        input: a tensor of floats.
        dim: the dimension along which the exponential of the result sums to 1.
        dtype: the dtype to compute in; by default that of the input.
    """
    x = input if dtype is None else input.astype(dtype)
    axis = checked_axis("log_softmax", dim, input.ndim)
    y = kernels.log_softmax(axis_last(x, axis))
    ctx.save(y, axis, input.dtype, input.shape)
    return axis_restored(y, axis, input.shape)


@log_softmax.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy − eʸ·Σ dy"""
    y, axis, dtype, shape = ctx.saved
    dx = kernels.log_softmax_backward(axis_last(dy, axis), y)
    return axis_restored(dx, axis, shape).astype(dtype, copy=False)


@log_softmax.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy − eʸ·Σ dy"""
    saved, axis, dtype, shape = ctx.saved
    y = ctx.output(axis_restored(saved, axis, shape))
    dx = dy - y.exp() * dy.sum(axis, keepdim=True)
    return dx if dx.dtype == dtype else dx.to(dtype)
