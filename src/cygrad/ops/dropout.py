"""Dropout: the mask is drawn again in the backward pass instead of kept."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, op


@op
def dropout_at(ctx: Node, input: Array, *, p: float, seed: int, offset: int) -> Array:
    """x·mask/(1 − p), the mask a function of (seed, offset)."""
    ctx.save(p, seed, offset)
    return kernels.dropout(input, p, seed, offset)


@dropout_at.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·mask/(1 − p)"""
    p, seed, offset = ctx.saved
    return kernels.dropout(dy, p, seed, offset)
