"""Losses. Each is one kernel forward and one backward, with the reduction in them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, Op, op
from cygrad.ops.broadcast import promoted, spec, unbroadcast
from cygrad.ops.definition import constant, fitted

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def reduction_number(name: str, reduction: str) -> int:
    """The number that stands for a reduction in kernels' arguments."""
    number = REDUCTIONS.get(reduction)
    if number is None and reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=5)
        return 1
    if number is None:
        raise ValueError(f"{name}: reduction must be none, mean or sum, got {reduction!r}")
    return number


# (x, t, p) -> the derivatives of a loss by x and by t
Slopes = Callable[[Any, Any, Any], tuple[Any, Any]]


def pointwise(name: str, formula: str, slopes: Slopes, has_parameter: bool = False) -> Op:
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

    @result.definition
    def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
        saved_x, saved_t, number, extra, *specs = ctx.saved
        x, t = loss_operand(ctx, 0, saved_x, specs[0]), loss_operand(ctx, 1, saved_t, specs[1])
        upstream = dy / max(saved_x.size, 1) if number == REDUCTIONS["mean"] else dy
        by_x, by_t = slopes(x, t, *extra or (None,))
        return (
            fitted(upstream * by_x, specs[0]) if ctx.needs[0] else None,
            fitted(upstream * by_t, specs[1]) if ctx.needs[1] else None,
        )

    return result


def loss_operand(ctx: Node, number: int, saved: Array, given: Any) -> Tensor:
    """An operand as it was given, before it was promoted and broadcast."""
    shape, dtype = given
    unrepeated = (
        saved if saved.shape == shape else saved[tuple([slice(0, 1) if n == 1 else slice(None) for n in shape])]
    )
    return ctx.input(number, unrepeated.reshape(shape), dtype)


def squared_slopes(x: Tensor, t: Tensor, p: float | None) -> tuple[Tensor, Tensor]:
    slope = 2 * (x - t)
    return slope, -slope


def absolute_slopes(x: Tensor, t: Tensor, p: float | None) -> tuple[Tensor, Tensor]:
    slope = (x - t).sign()
    return slope, -slope


def smooth_slopes(x: Tensor, t: Tensor, p: float) -> tuple[Tensor, Tensor]:
    slope = ((x - t) / p).clamp(-1, 1) if p else (x - t).sign()
    return slope, -slope


def huber_slopes(x: Tensor, t: Tensor, p: float) -> tuple[Tensor, Tensor]:
    slope = (x - t).clamp(-p, p)
    return slope, -slope


def probability_slopes(x: Tensor, t: Tensor, p: float | None) -> tuple[Tensor, Tensor]:
    by_x = (x - t) / (x * (1 - x)).clamp(min=1e-12)
    return by_x, (1 - x).log().clamp(min=-100) - x.log().clamp(min=-100)


def logit_slopes(x: Tensor, t: Tensor, p: float | None) -> tuple[Tensor, Tensor]:
    return x.sigmoid() - t, -x


def divergence_slopes(x: Tensor, t: Tensor, p: float | None) -> tuple[Tensor, Tensor]:
    return -t, t.log() + 1 - x


def log_divergence_slopes(x: Tensor, t: Tensor, p: float | None) -> tuple[Tensor, Tensor]:
    return -t.exp(), t.exp() * (t - x + 1)


mse_loss = pointwise("mse_loss", "(x − t)²", squared_slopes)
l1_loss = pointwise("l1_loss", "|x − t|", absolute_slopes)
smooth_l1_loss = pointwise("smooth_l1_loss", "½(x − t)²/p where |x − t| < p, else |x − t| − ½p", smooth_slopes, True)
huber_loss = pointwise("huber_loss", "½(x − t)² where |x − t| ≤ p, else p·(|x − t| − ½p)", huber_slopes, True)
bce_loss = pointwise("bce_loss", "−t·log x − (1 − t)·log(1 − x), with logarithms clamped at −100", probability_slopes)
bce_logits_loss = pointwise("bce_logits_loss", "−t·log σ(x) − (1 − t)·log(1 − σ(x))", logit_slopes)
kl_div = pointwise("kl_div", "t·(log t − x)", divergence_slopes)
kl_div_log = pointwise("kl_div_log", "eᵗ·(t − x)", log_divergence_slopes)


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


@weighted.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """d weight = dy·loss, d loss = dy·weight"""
    w, y, w_spec, y_spec = ctx.saved
    return (
        fitted(dy * ctx.input(1, y, y_spec[1]), w_spec) if ctx.needs[0] else None,
        fitted(dy * ctx.input(0, w, w_spec[1]), y_spec) if ctx.needs[1] else None,
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
    """Class indices, one per row. Of the only row of an input (C) it may have shape (1,), as in PyTorch."""
    wanted = shape[:1] + shape[2:] if len(shape) > 1 else ()
    alone = len(shape) == 1 and isinstance(target, np.ndarray) and target.shape == (1,)
    if not isinstance(target, np.ndarray) or (target.shape != wanted and not alone):
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
    return loss.reshape(target.shape if input.ndim > 1 else ()) if number == 0 else loss


@cross_entropy_classes.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None, None]:
    """dx = w[t]·(softmax(x) − onehot(t))·dy/Σw, and likewise with smoothed targets"""
    x, classes, weight, stats, total, smoothing, number = ctx.saved
    rows = class_rows("cross_entropy", x)
    dx = kernels.cross_entropy_backward(dy, rows, classes, weight, stats, total, smoothing, number)
    return from_class_rows(dx, x.shape), None, None


@cross_entropy_classes.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, None, None]:
    """dx = w[t]·(softmax(x) − onehot(t))·dy/Σw, and likewise with smoothed targets"""
    saved, classes, weight, _, total, smoothing, number = ctx.saved
    columns = saved.shape[class_axis(saved)]
    kept, chosen = chosen_classes(classes, columns, saved.dtype)
    shares = chosen * (1 - smoothing) + kept * (smoothing / max(columns, 1))
    shares = shares if weight is None else shares * constant(weight)
    return class_scores_gradient(ctx, dy, shares, saved, total, number), None, None


def class_axis(scores: Array) -> int:
    """The axis of the classes in scores of shape (N, C, …) or (C)."""
    return 1 if scores.ndim > 1 else 0


def chosen_classes(classes: Array, columns: int, dtype: Any) -> tuple[Tensor, Tensor]:
    """(rows, 1): 1 for rows that are not ignored, whose class is not negative; (rows, classes): 1 at the class."""
    numbers = constant(classes).unsqueeze(1)
    return (numbers >= 0).to(dtype), (numbers == constant(np.arange(columns))).to(dtype)


def class_scores_gradient(ctx: Node, dy: Tensor, shares: Tensor, saved: Array, total: Any, number: int) -> Tensor:
    """dx = (softmax(x)·Σ q − q)·dy/total, q the `shares` of the classes in each row."""
    last = class_axis(saved)
    moved = ctx.input(0, saved).movedim(last, -1)
    scores = moved.reshape(shares.shape)
    dx = (scores.softmax(-1) * shares.sum(-1, keepdim=True) - shares) * row_gradient(dy, total, len(shares), number)
    return dx.reshape(moved.shape).movedim(-1, last)


def row_gradient(dy: Tensor, total: Any, rows: int, number: int) -> Tensor:
    """The gradient of each row's loss, from that of the reduced loss: (rows, 1), or one number."""
    if number == REDUCTIONS["none"]:
        return dy.reshape(rows, 1)
    if number == REDUCTIONS["sum"]:
        return dy
    # Where nothing counts, the loss is NaN and the gradient 0.
    return dy / (max(rows, 1) if total is None else constant(np.where(total, total, np.inf)).reshape(()).to(dy.dtype))


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


@cross_entropy_soft.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    """dx = (softmax(x)·Σ q·w − q·w)·dy, dt = −w·log softmax(x)·dy"""
    saved, target, weight, _, smoothing, number = ctx.saved
    last, columns = class_axis(saved), saved.shape[class_axis(saved)]
    weights = 1 if weight is None else constant(weight)
    rows = saved.size // max(columns, 1)
    smoothed = ctx.input(1, target).movedim(last, -1).reshape(rows, columns) * (1 - smoothing)
    shares = (smoothed + smoothing / max(columns, 1)) * weights
    dx = class_scores_gradient(ctx, dy, shares, saved, None, number) if ctx.needs[0] else None
    if not ctx.needs[1]:
        return dx, None, None
    moved = ctx.input(0, saved).movedim(last, -1)
    upstream = row_gradient(dy, None, len(shares), number) * (smoothing - 1)
    dt = moved.reshape(shares.shape).log_softmax(-1) * weights * upstream
    return dx, dt.reshape(moved.shape).movedim(-1, last), None


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
    return loss.reshape(target.shape if input.ndim > 1 else ()) if number == 0 else loss


@nll_loss.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None, None]:
    """dx[t] = −w[t]·dy/Σw"""
    x, classes, weight, total, number = ctx.saved
    dx = kernels.nll_loss_backward(dy.reshape(-1), class_rows("nll_loss", x), classes, weight, total, number)
    return from_class_rows(dx, x.shape), None, None


@nll_loss.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, None, None]:
    """dx[t] = −w[t]·dy/Σw"""
    x, classes, weight, total, number = ctx.saved
    last = class_axis(x)
    _, slope = chosen_classes(classes, x.shape[last], x.dtype)
    slope = -slope if weight is None else -slope * constant(weight)
    dx = slope * row_gradient(dy, total, len(slope), number)
    return dx.reshape(*[n for i, n in enumerate(x.shape) if i != last], x.shape[last]).movedim(-1, last), None, None
