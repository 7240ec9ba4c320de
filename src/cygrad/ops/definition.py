"""What the definitions of ops share: gradient rules on tensors, which can be differentiated in their turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, Op, engine, op
from cygrad.ops.axes import kept_shape
from cygrad.ops.broadcast import Spec

__all__ = ["constant", "deviation", "fitted", "normalized", "normalized_gradients", "repeated", "self_adjoint"]


def constant(array: Any) -> Tensor:
    """A tensor whose gradient nobody wants; NumPy returns scalars where arrays have no dimensions."""
    return engine.wrap(np.asarray(array))


def fitted(gradient: Tensor, target: Spec) -> Tensor:
    """The gradient of an operand that was broadcast: summed over the repeated axes, in its dtype."""
    shape, dtype = target
    if gradient.shape != shape:
        lead = gradient.ndim - len(shape)
        if lead < 0:  # a write drops leading sizes of 1
            return fitted(gradient, (shape[-lead:], dtype)).reshape(shape)
        axes = [*range(lead), *[lead + i for i, n in enumerate(shape) if n == 1]]
        gradient = gradient.sum(axes).reshape(shape) if axes else gradient
    return gradient if gradient.dtype == dtype else gradient.to(dtype)


def repeated(reduced: Tensor, shape: tuple[int, ...], axes: tuple[int, ...]) -> Tensor:
    """A reduced tensor in the shape before the reduction, repeated along the axes."""
    return reduced.reshape(kept_shape(shape, axes)).expand(shape)


def deviation(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """x − mean"""
    return x - x.mean(axes, keepdim=True) if axes else x - x


def normalized(x: Tensor, axes: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
    """x̂ = (x − mean)·rstd over axes, and rstd = 1/√(var + eps)."""
    centered = deviation(x, axes)
    rstd = ((centered * centered).mean(axes, keepdim=True) + eps).rsqrt()
    return centered * rstd, rstd


def normalized_gradients(
    ctx: Node,
    dy: Tensor,
    x_hat: Tensor,
    rstd: Tensor,
    weight: Array | None,
    shared: tuple[int, ...],
    axes: tuple[int, ...],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of y = w·x̂ + b, where x̂ = (x − mean)·rstd is normalized over `axes` (none if mean and rstd are
    constants), and w and b are shared by all positions along the axes `shared`:
    dx = rstd·(g − Σg/n − x̂·Σ(g·x̂)/n) with g = dy·w, dw = Σ dy·x̂, db = Σ dy."""
    want_x, want_weight, want_bias = ctx.needs
    dx = None
    if want_x:
        g = dy
        if weight is not None:
            kept = [1 if i in shared else n for i, n in enumerate(dy.shape)]
            g = dy * ctx.input(1, weight).reshape(kept)
        if axes:
            g = g - g.mean(axes, keepdim=True) - x_hat * (g * x_hat).mean(axes, keepdim=True)
        dx = g * rstd
    shape = tuple([n for i, n in enumerate(dy.shape) if i not in shared])
    return (
        dx,
        (dy * x_hat).sum(shared).reshape(shape) if want_weight and shared else dy * x_hat if want_weight else None,
        dy.sum(shared).reshape(shape) if want_bias and shared else dy if want_bias else None,
    )


def self_adjoint(of: Op) -> Callable[[Node, Tensor], Tensor]:
    """The definition of an op of one input whose rule multiplies each dy by a number that does not depend on the input,
    at least not smoothly: dx = m·dy, so that d(dy) = m·ddx is the rule again."""

    rule = of.rule

    def definition(ctx: Node, dy: Tensor) -> Tensor:
        result: Tensor = apply_rule(dy, *ctx.saved, node=engine.detached_node(ctx, ()), rule=rule)
        return result

    return definition


@op
def apply_rule(ctx: Node, input: Array, *saved: Any, node: Node, rule: Any) -> Array:
    """y = rule(input), linear in it and its own transpose; `saved` is what the node has saved."""
    ctx.save(node, rule, *saved)
    return np.asarray(rule(engine.detached_node(node, saved), input))


@apply_rule.gradient
def _(ctx: Node, ddx: Array) -> tuple[Array | None, ...]:
    """d(dy) = rule(ddx)"""
    node, rule, *saved = ctx.saved
    engine.check_saved(node)
    return (rule(engine.detached_node(node, tuple(saved)), ddx), *[None for _ in saved])


@apply_rule.definition
def _(ctx: Node, ddx: Tensor) -> tuple[Tensor | None, ...]:
    """d(dy) = rule(ddx)"""
    node, rule, *saved = ctx.saved
    return (apply_rule(ddx, *saved, node=node, rule=rule), *[None for _ in saved])
