"""Dropout. N. Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting"."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, op
from cygrad.ops.definition import self_adjoint


@op
def dropout_at(ctx: Node, input: Array, /, p: float, seed: int, offset: int) -> Array:
    """y = x·mask/(1 − p); the mask is a function of (seed, offset)."""
    y, mask = kernels.dropout(input, p, seed, offset, ctx.needs[0])
    ctx.save(mask, p)
    return y


@dropout_at.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·mask/(1 − p)"""
    mask, p = ctx.saved
    return kernels.dropout_backward(dy, mask, p)


dropout_at.definition(self_adjoint(dropout_at))
