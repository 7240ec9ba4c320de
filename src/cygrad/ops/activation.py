"""Activations, elementwise."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, op


@op
def relu(ctx: Node, x: Array) -> Array:
    """y = max(x, 0)"""
    y = kernels.relu(x)
    ctx.save(y)
    return y


@relu.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·[y > 0]"""
    (y,) = ctx.saved
    return kernels.relu_backward(dy, y)
