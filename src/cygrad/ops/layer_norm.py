"""Layer norm. J. L. Ba, J. R. Kiros, G. E. Hinton (2016), "Layer normalization"."""

from __future__ import annotations

from collections.abc import Sequence

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op
from cygrad.ops.definition import normalized, normalized_gradients


@op
def layer_norm_rows(
    ctx: Node, input: Array, weight: Array | None, bias: Array | None, *, normalized_shape: Sequence[int], eps: float
) -> Array:
    """Layer norm over the last dimensions, whose shape is `normalized_shape`: y = w·(x − mean)·rstd + b."""
    axes = len(normalized_shape)
    y, mean, rstd = kernels.layer_norm(input, weight, bias, eps, axes)
    ctx.save(input, weight, mean, rstd, axes, eps)
    return y


@layer_norm_rows.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
    """dx = rstd·(g − Σg/n − x̂·Σ(g·x̂)/n) with g = dy·w, dw = Σ dy·x̂, db = Σ dy"""
    x, weight, mean, rstd, axes, _ = ctx.saved
    want_x, want_w, want_b = ctx.needs
    dx, dw, db = kernels.layer_norm_backward(dy, x, weight, mean, rstd, want_x, want_w or want_b, axes)
    return dx, dw if want_w else None, db if want_b else None


@layer_norm_rows.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """dx = rstd·(g − Σg/n − x̂·Σ(g·x̂)/n) with g = dy·w, dw = Σ dy·x̂, db = Σ dy"""
    saved, weight, _, _, count, eps = ctx.saved
    x, first = ctx.input(0, saved), saved.ndim - count
    axes = tuple(range(first, saved.ndim))
    return normalized_gradients(ctx, dy, *normalized(x, axes, eps), weight, tuple(range(first)), axes)
