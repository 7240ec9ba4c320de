"""Linear layers and matrix products."""

from __future__ import annotations

import math

import numpy as np

from cygrad import _kernels as kernels
from cygrad._attributes import ShapeError
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op
from cygrad.autograd.arrays import broadcasts
from cygrad.ops.broadcast import summed_to
from cygrad.ops.definition import fitted

__all__ = ["matmul"]


@op
def linear(ctx: Node, input: Array, weight: Array, bias: Array | None = None) -> Array:
    """Apply a linear layer: y = x·Wᵀ + b.

    Args:
        input: x, shape (…, in_features), float32 or float64.
        weight: W, shape (out_features, in_features), of the same dtype.
        bias: b, shape (out_features,), or another that broadcasts to that of y; None for no bias.

    Returns:
        y, shape (…, out_features).

    Raises:
        ValueError: if the shapes do not fit.
        TypeError: if the dtypes differ.

    >>> cg.nn.functional.linear(cg.tensor([[1.0, 2.0]]), cg.tensor([[3.0, 4.0]]), cg.tensor([0.5]))
    tensor([[11.5000]])
    """
    ctx.save(input if ctx.needs[1] else None, weight)
    try:
        return kernels.linear(input, weight, bias)
    except ShapeError:
        shape = (*input.shape[:-1], *weight.shape[:1])
        if bias is None or bias.shape == shape[-1:] or not broadcasts(bias.shape, shape):
            raise
        ctx.save(*ctx.saved, bias.shape)
        return kernels.add(kernels.linear(input, weight, None), bias)
    except TypeError:
        if not all([x is None or x.dtype.kind in "iu" for x in (input, weight, bias)]):
            raise
        return np.asarray(input @ weight.T + (0 if bias is None else bias), input.dtype)


@linear.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
    """dx = dy·W, dW = dyᵀ·x, db = Σ dy"""
    x, weight, *shape = ctx.saved
    want_x, want_weight, want_bias = ctx.needs
    if shape:
        dx, dw, _ = kernels.linear_backward(dy, x, weight, want_x, want_weight, False)
        return dx, dw, summed_to(dy, shape[0]) if want_bias else None
    return kernels.linear_backward(dy, x, weight, want_x, want_weight, want_bias)


@linear.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """dx = dy·W, dW = dyᵀ·x, db = Σ dy"""
    x, weight, *shape = ctx.saved
    want_x, want_weight, want_bias = ctx.needs
    count = math.prod(dy.shape[:-1])
    rows = dy if dy.ndim == 2 else dy.reshape(count, weight.shape[0])
    dx = matmul(dy, ctx.input(1, weight)) if want_x else None
    dw = matmul(rows.t(), ctx.input(0, x).reshape(count, weight.shape[1])) if want_weight else None
    db = None if not want_bias else fitted(dy, (shape[0], dy.dtype)) if shape else rows.sum(0)
    return dx, dw, db


@op
def ensemble_linear(ctx: Node, input: Array, weight: Array, bias: Array | None = None) -> Array:
    """Apply the linear layers of K members of an ensemble: yₖ = xₖ·Wₖᵀ + bₖ, as one batched product.

    It is what ``torch.func.vmap`` makes of ``torch.nn.functional.linear`` with parameters that
    ``torch.func.stack_module_state`` has stacked.

    Args:
        input: x, shape (K, N, in_features), or (N, in_features) for one input of all members; float32 or float64.
        weight: W, shape (K, out_features, in_features), of the same dtype.
        bias: b, shape (K, out_features); None for no bias.

    Returns:
        y, shape (K, N, out_features).

    Raises:
        ValueError: if the shapes do not fit.
        TypeError: if the dtypes differ.

    >>> W, b = cg.tensor([[[1.0, 2.0]], [[3.0, 4.0]]]), cg.tensor([[0.0], [0.5]])
    >>> cg.nn.functional.ensemble_linear(cg.tensor([[1.0, 1.0]]), W, b)
    tensor([[[3.0000]],
    <BLANKLINE>
            [[7.5000]]])
    """
    ctx.save(input if ctx.needs[1] else None, weight, input.ndim)
    return kernels.ensemble_linear(input, weight, bias)


@ensemble_linear.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
    """dxₖ = dyₖ·Wₖ, summed over k where the members share x; dWₖ = dyₖᵀ·xₖ, dbₖ = Σ dyₖ"""
    x, weight, ndim = ctx.saved
    dx, dw, db = kernels.ensemble_linear_backward(dy, x, weight, *ctx.needs)
    return summed_to(dx, dx.shape[1:]) if dx is not None and ndim == 2 else dx, dw, db


@ensemble_linear.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """dxₖ = dyₖ·Wₖ, summed over k where the members share x; dWₖ = dyₖᵀ·xₖ, dbₖ = Σ dyₖ"""
    x, weight, ndim = ctx.saved
    want_x, want_weight, want_bias = ctx.needs
    dx = matmul(dy, ctx.input(1, weight)) if want_x else None
    if dx is not None and ndim == 2:
        dx = dx.sum(0)
    dw = matmul(dy.transpose(-1, -2), ctx.input(0, x)) if want_weight else None
    return dx, dw, dy.sum(1) if want_bias else None


@op
def matmul(ctx: Node, input: Array, other: Array) -> Array:
    """Multiply matrices, as NumPy and PyTorch do.

    The product is over the last two dimensions; the others are broadcast. A 1-D operand counts as a row on the left and
    as a column on the right, and the result lacks that dimension.

    Args:
        input: a tensor of shape (…, n, k) or (k,).
        other: a tensor of shape (…, k, m) or (k,), of the same dtype.

    Raises:
        ValueError: if the shapes do not fit.
        RuntimeError: if the dtypes differ, or an operand has no dimensions.

    >>> cg.matmul(cg.ones(2, 3), cg.ones(3))
    tensor([3., 3.])
    """
    if not (isinstance(input, np.ndarray) and isinstance(other, np.ndarray)):
        raise TypeError(f"matmul: both operands must be tensors, got {type(input).__name__} and {type(other).__name__}")
    dtype, needs = input.dtype, ctx.needs
    if dtype != other.dtype:
        raise RuntimeError(f"matmul: input is {dtype}, but other is {other.dtype}")
    if needs[0] or needs[1]:
        ctx.save(input if needs[1] else None, other if needs[0] else None, input.shape, other.shape)
    if input.ndim == other.ndim == 2 and dtype.kind == "f":
        return kernels.matmul(input, other)
    if not input.ndim or not other.ndim:
        raise RuntimeError(f"matmul: operands need at least 1 dimension, got shapes {input.shape} and {other.shape}")
    if dtype.kind in "biu":
        return np.asarray(np.matmul(input, other))
    if input.shape[-1] != other.shape[-2 if other.ndim > 1 else 0]:
        raise ShapeError(f"matmul: shapes {input.shape} and {other.shape} do not fit")
    x = input[None] if input.ndim == 1 else input
    y = other[:, None] if other.ndim == 1 else other
    product = kernels.matmul(x, y)
    if input.ndim == 1 or other.ndim == 1:
        rows = x.shape[-2:-1] if input.ndim > 1 else ()
        cols = y.shape[-1:] if other.ndim > 1 else ()
        return product.reshape(product.shape[:-2] + rows + cols)
    return product


@matmul.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dA = dC·Bᵀ, dB = Aᵀ·dC, summed over what was broadcast"""
    x, y, x_shape, y_shape = ctx.saved
    g = np.expand_dims(dy, -1) if len(y_shape) == 1 else dy
    g = np.expand_dims(g, -2) if len(x_shape) == 1 else g
    dx = d_other = None
    if ctx.needs[0]:
        matrix = y[:, None] if y.ndim == 1 else y
        rows = (1, *x_shape) if len(x_shape) == 1 else x_shape
        dx = summed_to(kernels.matmul(g, matrix.swapaxes(-1, -2)), rows).reshape(x_shape)
    if ctx.needs[1]:
        matrix = x[None] if x.ndim == 1 else x
        columns = (*y_shape, 1) if len(y_shape) == 1 else y_shape
        d_other = summed_to(kernels.matmul(matrix.swapaxes(-1, -2), g), columns).reshape(y_shape)
    return dx, d_other


@matmul.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dA = dC·Bᵀ, dB = Aᵀ·dC, summed over what was broadcast"""
    x, y, x_shape, y_shape = ctx.saved
    g = dy.unsqueeze(-1) if len(y_shape) == 1 else dy
    g = g.unsqueeze(-2) if len(x_shape) == 1 else g
    dx = d_other = None
    if ctx.needs[0]:
        other = ctx.input(1, y)
        rows = (1, *x_shape) if len(x_shape) == 1 else x_shape
        product = matmul(g, other.unsqueeze(0) if y.ndim == 1 else other.transpose(-1, -2))
        dx = fitted(product, (rows, product.dtype)).reshape(x_shape)
    if ctx.needs[1]:
        input = ctx.input(0, x)
        columns = (*y_shape, 1) if len(y_shape) == 1 else y_shape
        product = matmul(input.unsqueeze(-1) if x.ndim == 1 else input.transpose(-1, -2), g)
        d_other = fitted(product, (columns, product.dtype)).reshape(y_shape)
    return dx, d_other
