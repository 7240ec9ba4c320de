"""Batch norm. S. Ioffe, C. Szegedy (2015), "Batch normalization"."""

from __future__ import annotations

from typing import Any

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op
from cygrad.ops.definition import constant, normalized, normalized_gradients


@op
def batch_norm_training(
    ctx: Node,
    input: Array,
    weight: Array | None,
    bias: Array | None,
    /,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    momentum: float = 0.1,
    eps: float = 1e-5,
    batches: Array | None = None,
) -> Array:
    """Batch norm with the statistics of the batch: y = w·(x − mean)·rstd + b. Updates the running ones in place."""
    y, mean, rstd = kernels.batch_norm(input, weight, bias, running_mean, running_var, momentum, eps, batches)
    ctx.save(input, weight, mean, rstd, eps)
    return y


@batch_norm_training.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
    """dx = w·rstd·(dy − (db + x̂·dw)/n), dw = Σ dy·x̂, db = Σ dy"""
    x, weight, mean, rstd, _ = ctx.saved
    want_x, want_weight, want_bias = ctx.needs
    return kernels.batch_norm_backward(dy, x, weight, mean, rstd, True, want_x, want_weight, want_bias)


@batch_norm_training.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """dx = w·rstd·(dy − (db + x̂·dw)/n), dw = Σ dy·x̂, db = Σ dy"""
    saved, weight, _, _, eps = ctx.saved
    x, axes = ctx.input(0, saved), (0, *range(2, saved.ndim))
    return normalized_gradients(ctx, dy, *normalized(x, axes, eps), weight, axes, axes)


@op
def batch_norm_evaluation(
    ctx: Node,
    input: Array,
    weight: Array | None,
    bias: Array | None,
    /,
    running_mean: Any,
    running_var: Any,
    eps: float = 1e-5,
) -> Array:
    """Batch norm with given statistics: y = w·(x − running_mean)/√(running_var + eps) + b."""
    y, rstd = kernels.batch_norm_eval(input, weight, bias, running_mean, running_var, eps)
    ctx.save(input, weight, kernels.copied(running_mean), rstd)
    return y


@batch_norm_evaluation.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
    """dx = w·rstd·dy, dw = Σ dy·x̂, db = Σ dy"""
    x, weight, mean, rstd = ctx.saved
    return kernels.batch_norm_backward(dy, x, weight, mean, rstd, False, *ctx.needs)


@batch_norm_evaluation.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """dx = w·rstd·dy, dw = Σ dy·x̂, db = Σ dy"""
    saved, weight, mean, rstd = ctx.saved
    columns = (1, -1, *[1] * (saved.ndim - 2))
    x, scale = ctx.input(0, saved), constant(rstd.reshape(columns))
    centered = x - constant(mean.reshape(columns))
    return normalized_gradients(ctx, dy, centered * scale, scale, weight, (0, *range(2, saved.ndim)), ())
