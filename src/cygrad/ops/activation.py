"""Activations, elementwise."""

from __future__ import annotations

from cygrad import _kernels as kernels
from cygrad.autograd import op


@op
def relu(ctx, x):
    """y = max(x, 0)"""
    y = kernels.relu(x)
    ctx.save(y)
    return y


@relu.gradient
def _(ctx, dy):
    """dx = dy·[y > 0]"""
    (y,) = ctx.saved
    return kernels.relu_backward(dy, y)
