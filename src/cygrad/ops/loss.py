"""Losses. Each is one kernel forward and one backward, with the reduction in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, Op, op
from cygrad.ops.broadcast import promoted, spec, unbroadcast

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def reduction_number(name: str, reduction: str) -> int:
    """The number that stands for a reduction in kernels' arguments."""
    number = REDUCTIONS.get(reduction)
    if number is None:
        raise ValueError(f"{name}: reduction must be none, mean or sum, got {reduction!r}")
    return number


def pointwise(name: str, formula: str, has_parameter: bool = False) -> Op:
    """An op on input and target, elementwise and then reduced. `parameter` is the loss's width, where it has one."""

    def forward(ctx: Node, input: Array, target: Array, *, reduction: str = "mean", parameter: float = 1.0) -> Array:
        x, t = promoted(input, target)
        if x.shape != t.shape:
            x, t = np.broadcast_arrays(x, t)
        number = reduction_number(name, reduction)
        extra = (parameter,) if has_parameter else ()
        ctx.save(x, t, number, extra, spec(input), spec(target))
        return getattr(kernels, name)(x, t, number, *extra)

    forward.__name__, forward.__module__ = name, __name__
    forward.__doc__ = f"""Return the loss {formula}, reduced.

    Args:
        input: predictions x, float32 or float64.
        target: targets t, of the input's shape and dtype.
        reduction: "mean", "sum", or "none" for one loss per element.
        parameter: the p of the formula, where it has one.
    """
    result = op(forward)

    @result.gradient
    def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
        x, t, number, extra, x_spec, t_spec = ctx.saved
        backward = getattr(kernels, f"{name}_backward")
        dx, dt = backward(dy, x, t, number, ctx.needs[0], ctx.needs[1], *extra)
        return dx if dx is None else unbroadcast(dx, x_spec), dt if dt is None else unbroadcast(dt, t_spec)

    return result


mse_loss = pointwise("mse_loss", "(x − t)²")
l1_loss = pointwise("l1_loss", "|x − t|")
smooth_l1_loss = pointwise("smooth_l1_loss", "½(x − t)²/p where |x − t| < p, else |x − t| − ½p", True)
huber_loss = pointwise("huber_loss", "½(x − t)² where |x − t| ≤ p, else p·(|x − t| − ½p)", True)
bce_loss = pointwise("bce_loss", "−t·log x − (1 − t)·log(1 − x), with logarithms clamped at −100")
bce_logits_loss = pointwise("bce_logits_loss", "−t·log σ(x) − (1 − t)·log(1 − σ(x))")
kl_div = pointwise("kl_div", "t·(log t − x)")
kl_div_log = pointwise("kl_div_log", "eᵗ·(t − x)")


@op
def weighted(ctx: Node, weight: Array, loss: Array) -> Array:
    """weight·loss, and 0 where the weight is 0, also if the loss is infinite."""
    w, y = promoted(weight, loss)
    ctx.save(w, y, spec(weight), spec(loss))
    with np.errstate(all="ignore"):
        return np.where((w == 0) & (np.abs(y) == np.inf), w, w * y)


@weighted.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """d weight = dy·loss, d loss = dy·weight"""
    w, y, w_spec, y_spec = ctx.saved
    with np.errstate(all="ignore"):
        return (
            unbroadcast(dy * y, w_spec) if ctx.needs[0] else None,
            unbroadcast(dy * w, y_spec) if ctx.needs[1] else None,
        )


def class_rows(name: str, input: Array) -> Array:
    """Scores of shape (N, C, …) or (C) as (rows, classes)."""
    if input.ndim == 2:
        return input
    if input.ndim == 0:
        raise ValueError(f"{name}: input must have shape (N, C), (C) or (N, C, …), got ()")
    return np.moveaxis(input, 0 if input.ndim == 1 else 1, -1).reshape(-1, input.shape[0 if input.ndim == 1 else 1])


def from_class_rows(rows: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of class_rows: (rows, classes) as (N, C, …) or (C)."""
    if len(shape) == 2:
        return rows
    if len(shape) < 2:
        return rows.reshape(shape)
    return np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def flat_target(name: str, target: Any, shape: tuple[int, ...]) -> Array:
    """Class indices, one per row."""
    wanted = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if not isinstance(target, np.ndarray) or target.shape != wanted:
        got = getattr(target, "shape", type(target).__name__)
        raise ValueError(f"{name}: target has shape {got}, but input of shape {shape} needs {wanted}")
    return target if target.ndim == 1 else target.reshape(-1)


@op
def cross_entropy_classes(
    ctx: Node,
    input: Array,
    target: Array,
    weight: Array | None = None,
    /,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """Return the cross entropy of scores with class indices: −w[t]·log softmax(x)[t].

    Args:
        input: scores of shape (N, C), (C) or (N, C, …), float32 or float64.
        target: class indices of shape (N), () or (N, …), integers.
        weight: a weight per class, shape (C); None for weights of 1.
        ignore_index: the class index whose rows contribute nothing.
        reduction: "mean" (divided by the sum of the weights), "sum", or "none".
        label_smoothing: the share of each target that is spread over all classes, in [0, 1].
    """
    number = reduction_number("cross_entropy", reduction)
    rows = class_rows("cross_entropy", input)
    flat = flat_target("cross_entropy", target, input.shape)
    loss, stats, classes, total = kernels.cross_entropy(rows, flat, weight, ignore_index, label_smoothing, number)
    ctx.save(input, classes, weight, stats, total, label_smoothing, number)
    return loss.reshape(target.shape) if number == 0 else loss


@cross_entropy_classes.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None, None]:
    """dx = w[t]·(softmax(x) − onehot(t))·dy/Σw, and likewise with smoothed targets"""
    x, classes, weight, stats, total, smoothing, number = ctx.saved
    rows = class_rows("cross_entropy", x)
    dx = kernels.cross_entropy_backward(dy, rows, classes, weight, stats, total, smoothing, number)
    return from_class_rows(dx, x.shape), None, None


@op
def cross_entropy_soft(
    ctx: Node,
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """Return the cross entropy of scores with class probabilities: −Σ w·t·log softmax(x).

    Args:
        input: scores of shape (N, C), (C) or (N, C, …), float32 or float64.
        target: probabilities, of the input's shape and dtype.
        weight: a weight per class, shape (C); None for weights of 1.
        reduction: "mean" (divided by the number of rows), "sum", or "none".
        label_smoothing: the share of each target that is spread over all classes, in [0, 1].
    """
    number = reduction_number("cross_entropy", reduction)
    if target.shape != input.shape:
        raise ValueError(f"cross_entropy: target has shape {target.shape}, but input has {input.shape}")
    rows, t = class_rows("cross_entropy", input), class_rows("cross_entropy", target)
    loss, stats = kernels.soft_cross_entropy(rows, t, weight, label_smoothing, number)
    ctx.save(input, target, weight, stats, label_smoothing, number)
    return loss.reshape(input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()) if number == 0 else loss


@cross_entropy_soft.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None, None]:
    """dx = (softmax(x)·Σ q·w − q·w)·dy, dt = −w·log softmax(x)·dy"""
    x, target, weight, stats, smoothing, number = ctx.saved
    rows, t = class_rows("cross_entropy", x), class_rows("cross_entropy", target)
    dx, dt = kernels.soft_cross_entropy_backward(
        dy.reshape(-1), rows, t, weight, stats, smoothing, number, ctx.needs[0], ctx.needs[1]
    )
    return (
        None if dx is None else from_class_rows(dx, x.shape),
        None if dt is None else from_class_rows(dt, x.shape),
        None,
    )


@op
def nll_loss(
    ctx: Node,
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Return the negative log-likelihood −w[t]·x[t].

    Args:
        input: log-probabilities of shape (N, C), (C) or (N, C, …), float32 or float64.
        target: class indices of shape (N), () or (N, …), integers.
        weight: a weight per class, shape (C); None for weights of 1.
        ignore_index: the class index whose rows contribute nothing.
        reduction: "mean" (divided by the sum of the weights), "sum", or "none".
    """
    number = reduction_number("nll_loss", reduction)
    rows = class_rows("nll_loss", input)
    flat = flat_target("nll_loss", target, input.shape)
    loss, classes, total = kernels.nll_loss(rows, flat, weight, ignore_index, number)
    ctx.save(input, classes, weight, total, number)
    return loss.reshape(target.shape) if number == 0 else loss


@nll_loss.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None, None]:
    """dx[t] = −w[t]·dy/Σw"""
    x, classes, weight, total, number = ctx.saved
    dx = kernels.nll_loss_backward(dy.reshape(-1), class_rows("nll_loss", x), classes, weight, total, number)
    return from_class_rows(dx, x.shape), None, None
