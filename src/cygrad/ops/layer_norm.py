"""Layer norm."""

from __future__ import annotations

from collections.abc import Sequence

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, op


@op
def layer_norm_rows(
    ctx: Node, input: Array, weight: Array | None, bias: Array | None, *, normalized_shape: Sequence[int], eps: float
) -> Array:
    """Layer norm over the last axes, which have shape `normalized_shape`."""
    cols = 1
    for n in normalized_shape:
        cols *= n
    y, mean, rstd = kernels.layer_norm(input.reshape(-1, cols) if cols else input.reshape(0, 0), weight, bias, eps)
    ctx.save(input, weight, mean, rstd, cols, tuple(normalized_shape))
    return y.reshape(input.shape)


@layer_norm_rows.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
    """dx = rstd·(g − Σg/n − x̂·Σ(g·x̂)/n) with g = dy·w, dw = Σ dy·x̂, db = Σ dy"""
    x, weight, mean, rstd, cols, affine = ctx.saved
    shape = (-1, cols) if cols else (0, 0)
    want_x, want_w, want_b = ctx.needs
    dx, sums = kernels.layer_norm_backward(
        dy.reshape(shape), x.reshape(shape), weight, mean, rstd, want_x, want_w or want_b
    )
    return (
        dx.reshape(x.shape) if want_x else None,
        sums[0].reshape(affine) if want_w else None,
        sums[1].reshape(affine) if want_b else None,
    )
