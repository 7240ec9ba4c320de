"""Reductions: sums, means, norms, extremes and their positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._attributes import ShapeError
from cygrad._typing import Array, Dim, DType, Tensor
from cygrad.autograd import Node, Op, op
from cygrad.ops.axes import checked_axes, checked_axis, kept_shape, made_adjacent, repeated_along
from cygrad.ops.broadcast import as_float, is_real, leave_half, option
from cygrad.ops.definition import constant, deviation, fitted, repeated
from cygrad.ops.index import ordered_definition, ordered_gradient
from cygrad.ops.pointwise import sign_of

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "logsumexp",
    "mean",
    "norm",
    "prod",
    "std",
    "sum",
    "var",
]


def total(x: Array, axes: tuple[int, ...], keepdim: bool, scale: float = 1.0) -> Array:
    """scale·Σ x over axes, for floats."""
    moved, first, last = made_adjacent(x, axes)
    y = kernels.sum_axes(moved, first, last, scale)
    return y.reshape(kept_shape(x.shape, axes)) if keepdim else y


@op
def sum(ctx: Node, input: Array, *, dim: Dim = None, keepdim: bool = False, dtype: DType = None) -> Array:
    """Sum elements: y = Σ input. Integers and booleans give int64.

    Args:
        input: a tensor.
        dim: the dimension or dimensions to reduce; all by default.
        keepdim: whether the reduced dimensions stay, with size 1.
        dtype: the dtype to sum in; by default that of the input.

    >>> cg.sum(cg.tensor([[1.0, 2.0], [3.0, 4.0]]), 0)
    tensor([4., 6.])
    """
    x = input if dtype is None else input.astype(dtype)
    leave_half("sum", x)
    axes = checked_axes("sum", dim, x.ndim)
    ctx.save(input.shape, input.dtype, axes)
    if is_real(x):
        return total(x, axes, keepdim)
    wide = np.int64 if x.dtype.kind in "biu" and dtype is None else x.dtype
    return np.asarray(np.sum(x, axes, wide, keepdims=keepdim))


@sum.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy, repeated"""
    shape, dtype, axes = ctx.saved
    if is_real(dy) and dy.dtype == dtype:
        return kernels.repeated(dy.reshape(kept_shape(shape, axes)), shape)
    return np.array(repeated_along(dy, shape, axes), dtype)


@sum.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy, repeated"""
    shape, dtype, axes = ctx.saved
    return fitted(repeated(dy, shape, axes), (shape, dtype))


@op
def mean(ctx: Node, input: Array, *, dim: Dim = None, keepdim: bool = False, dtype: DType = None) -> Array:
    """Average elements: y = Σ input/n.

    Args:
        input: a tensor of floats.
        dim: the dimension or dimensions to reduce; all by default.
        keepdim: whether the reduced dimensions stay, with size 1.
        dtype: the dtype to average in; by default that of the input.

    Raises:
        RuntimeError: for integers and booleans, unless dtype is a float.
    """
    x = input if dtype is None else input.astype(dtype)
    leave_half("mean", x)
    if not is_real(x):
        raise RuntimeError(f"mean: input must hold floats, got {x.dtype}; pass dtype=")
    axes = checked_axes("mean", dim, x.ndim)
    count = reduced_size(x.shape, axes)
    ctx.save(input.shape, input.dtype, axes, count)
    return total(x, axes, keepdim, 1 / count if count else np.nan)


@mean.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy/n, repeated"""
    shape, dtype, axes, count = ctx.saved
    if dy.dtype == dtype:
        return kernels.repeated(dy.reshape(kept_shape(shape, axes)), shape, max(count, 1))
    return np.array(repeated_along(dy / max(count, 1), shape, axes), dtype)


@mean.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy/n, repeated"""
    shape, dtype, axes, count = ctx.saved
    return fitted(repeated(dy / max(count, 1), shape, axes), (shape, dtype))


def reduced_size(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """The number of elements that are reduced to one."""
    count = 1
    for axis in axes:
        count *= shape[axis]
    return count


@op
def prod(ctx: Node, input: Array, *, dim: int | None = None, keepdim: bool = False, dtype: DType = None) -> Array:
    """Multiply elements: y = Π input. Integers and booleans give int64.

    Args:
        input: a tensor.
        dim: the dimension to reduce; all by default.
        keepdim: whether the reduced dimensions stay, with size 1.
        dtype: the dtype to multiply in; by default that of the input.
    """
    x = input if dtype is None else input.astype(dtype, copy=False)
    leave_half("prod", x)
    axes = checked_axes("prod", dim, x.ndim)
    ctx.save(x, axes, dim is None, input.dtype)
    wide = np.int64 if x.dtype.kind in "biu" and dtype is None else x.dtype
    return np.asarray(np.prod(x, axes, wide, keepdims=keepdim), order="C")


@prod.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dxᵢ = dy·Π over j ≠ i of xⱼ: products of the elements before and after, so that zeros do no harm. As in PyTorch
    it is 0 where two of all elements are 0, and dy·y/xᵢ where an element is not finite and none is 0."""
    x, axes, whole, dtype = ctx.saved
    zeros = x.size - np.count_nonzero(x)
    if not x.size or (whole and zeros > 1):
        return np.zeros(x.shape, dtype)
    upstream = repeated_along(dy, x.shape, axes)
    if x.ndim and not zeros and not np.isfinite(x).all():
        with np.errstate(all="ignore"):
            return np.asarray(upstream * np.prod(x, axes, keepdims=True) / x, dtype)
    moved, first, _ = made_adjacent(x, axes)
    flat = moved.reshape(*moved.shape[:first], -1, *moved.shape[first + len(axes) :])
    ones, rest = np.ones_like(np.take(flat, [0], first)), np.delete(flat, -1, first)
    after_first = np.delete(flat, 0, first)
    before = np.cumprod(np.concatenate([ones, rest], first), first, x.dtype)
    after = np.flip(np.cumprod(np.flip(np.concatenate([after_first, ones], first), first), first, x.dtype), first)
    others = (before * after).reshape(moved.shape)
    order = np.argsort([*[i for i in range(x.ndim) if i not in axes], *axes]) if moved is not x else None
    others = others if order is None else others.transpose(order)
    with np.errstate(all="ignore"):
        return np.asarray(upstream * others, dtype)


@prod.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dxᵢ = dy·Π over j ≠ i of xⱼ"""
    saved, axes, _, dtype = ctx.saved
    x = ctx.input(0, saved, dtype)
    order = [*[i for i in range(saved.ndim) if i not in axes], *axes]
    n = reduced_size(saved.shape, axes)
    lines = x.permute(order).reshape(*[saved.shape[i] for i in order[: saved.ndim - len(axes)]], n)
    others = lines.unsqueeze(-2).expand(*lines.shape[:-1], n, n)  # row i: all elements, and 1 in place of xᵢ
    slope = others.masked_fill(constant(np.eye(n, dtype=bool)), 1).prod(-1)
    slope = slope.reshape([saved.shape[i] for i in order]).permute(np.argsort(order).tolist())
    return fitted(repeated(dy, saved.shape, axes) * slope, (saved.shape, dtype))


def extreme(name: str, kernel: str, of_integers: Any, prefix: str = "") -> Op:
    """The op amax or amin; whole_max or whole_min, of which messages say max or min."""

    def forward(ctx: Node, input: Array, *, dim: Dim = None, keepdim: bool = False) -> Array:
        axes = checked_axes(name, dim, input.ndim)
        if reduced_size(input.shape, axes) == 0:
            if dim is not None:
                raise IndexError(f"{name}: cannot reduce over the empty dimension {dim} of shape {input.shape}")
            raise ShapeError(f"{name}: cannot reduce an input of shape {input.shape}, which has no elements")
        if is_real(input):
            y = getattr(kernels, kernel)(*made_adjacent(input, axes))
        else:
            y = np.asarray(of_integers(input, axes))
        ctx.save(input, y, axes)
        return y.reshape(kept_shape(input.shape, axes)) if keepdim else y

    forward.__name__, forward.__module__ = prefix + name, __name__
    which = "largest" if name.endswith("max") else "smallest"
    forward.__doc__ = f"""Return the {which} element, NaN where there is one.

    Equal elements share the gradient.

    Args:
        input: a tensor.
        dim: the dimension or dimensions to reduce; all by default.
        keepdim: whether the reduced dimensions stay, with size 1.
    """
    result = op(forward)

    @result.gradient
    def _(ctx: Node, dy: Array) -> Array:
        x, y, axes = ctx.saved
        selected = (x == repeated_along(y, x.shape, axes)).astype(x.dtype)
        count = np.sum(selected, axes, x.dtype)
        with np.errstate(all="ignore"):  # nothing equals a result of NaN: the gradient is NaN too
            return np.asarray(selected * repeated_along(dy.reshape(y.shape) / count, x.shape, axes), x.dtype)

    @result.definition
    def _(ctx: Node, dy: Tensor) -> Tensor:
        x, y, axes = ctx.saved
        selected = (constant(x) == repeated(constant(y), x.shape, axes)).to(x.dtype)
        return selected * repeated(dy.reshape(y.shape) / selected.sum(axes), x.shape, axes)

    return result


amax = extreme("amax", "max_axes", np.max)
amin = extreme("amin", "min_axes", np.min)
whole_max = extreme("max", "max_axes", np.max, "whole_")
whole_min = extreme("min", "min_axes", np.min, "whole_")


def whole_gradient(ctx: Node, dy: Array) -> Array:
    """dx = dy, shared by the elements that are the result, by all that are NaN if it is NaN; 0 elsewhere"""
    x, y, _ = ctx.saved
    selected = np.asarray(np.isnan(x) if np.isnan(y) else x == y)
    with np.errstate(all="ignore"):
        return np.where(selected, dy / dy.dtype.type(np.count_nonzero(selected)), dy.dtype.type(0))


def whole_definition(ctx: Node, dy: Tensor) -> Tensor:
    """As ``whole_gradient``."""
    x, y = constant(ctx.saved[0]), constant(ctx.saved[1])
    selected = ((x == y) | (x.isnan() & y.isnan())).to(x.dtype)
    return selected * (dy.reshape(y.shape) / selected.sum())


whole_max.gradient(whole_gradient)
whole_min.gradient(whole_gradient)
whole_max.definition(whole_definition)
whole_min.definition(whole_definition)


def root_of_squares(squares: Array, x: Array, axes: tuple[int, ...], keepdim: bool, scale: float = 1.0) -> Array:
    """√squares, squares = scale·Σ x²; from x relative to its largest element if squares overflow, or lose digits below
    the smallest normal number."""
    least = 1e-30 if x.dtype == np.float32 else 1e-290
    if ((squares > least) & (squares < np.inf)).all():
        return np.asarray(np.sqrt(squares), x.dtype)
    largest = largest_size(x, axes)
    ratio = np.asarray(x / largest, x.dtype)
    y = np.sqrt(total(kernels.mul(ratio, ratio), axes, True, scale)) * largest
    return np.asarray(y, x.dtype).reshape(squares.shape)


def largest_size(x: Array, axes: tuple[int, ...]) -> Array:
    """The largest |x| along axes, which stay; 1 where it is 0 or not finite, so that x can be divided by it."""
    largest = np.max(np.abs(x), axes, keepdims=True, initial=0)
    return np.where((largest > 0) & (largest < np.inf), largest, x.dtype.type(1))


def position(name: str, choose: Any) -> Op:
    """The op max or min along one dimension: values and indices."""

    def forward(ctx: Node, input: Array, *, dim: int = -1, keepdim: bool = False) -> tuple[Array, Array]:
        axis = checked_axis(name, dim, input.ndim)
        x = np.atleast_1d(input)
        if x.shape[axis] == 0:
            raise IndexError(f"{name}: cannot reduce over the empty dimension {dim} of shape {input.shape}")
        indices = np.expand_dims(choose(x, axis), axis)
        values = np.take_along_axis(x, indices, axis)
        ctx.save(input.shape, indices, axis)
        shape = (
            kept_shape(input.shape, (axis,)) if keepdim else tuple([n for i, n in enumerate(input.shape) if i != axis])
        )
        return values.reshape(shape), indices.reshape(shape)

    forward.__name__, forward.__module__ = f"{name}_along", __name__
    forward.__doc__ = f"""({name}imum, its index) along dim; the gradient goes to the element at the index."""
    result = op(forward)

    result.gradient(ordered_gradient)
    result.definition(ordered_definition)
    return result


max_along = position("max", np.argmax)
min_along = position("min", np.argmin)


@op
def var(ctx: Node, input: Array, *, dim: Dim = None, correction: float | None = 1, keepdim: bool = False) -> Array:
    """Return the variance: y = Σ(x − mean)²/(n − correction).

    Args:
        input: a tensor of floats.
        dim: the dimension or dimensions to reduce; all by default.
        correction: subtracted from the number of elements; 1 gives the unbiased estimate, 0 the variance itself.
        keepdim: whether the reduced dimensions stay, with size 1.
    """
    y, centered, axes, count = variance("var", input, dim, correction, keepdim)
    ctx.save(centered, axes, count, input)
    return y


def variance(
    name: str, x: Array, dim: Dim, correction: float | None, keepdim: bool
) -> tuple[Array, Array, tuple[int, ...], float]:
    """(variance, x − mean, axes, n − correction)"""
    leave_half(name, x)
    if not is_real(x):
        raise RuntimeError(f"{name}: input must hold floats, got {x.dtype}")
    if isinstance(dim, bool):  # std(False): unbiased, as PyTorch once named it
        dim, correction = None, dim
    axes = checked_axes(name, dim, x.ndim)
    n = reduced_size(x.shape, axes)
    correction = 1 if correction is None else option(name, "correction", correction)
    count = max(n - correction, 0)
    with np.errstate(all="ignore"):
        centered = kernels.sub(x, total(x, axes, True, 1 / n if n else np.nan))
        centered = kernels.sub(centered, total(centered, axes, True, 1 / n if n else np.nan))  # what the rounding lost
        y = np.asarray(total(kernels.mul(centered, centered), axes, keepdim) / x.dtype.type(count))
    return y, centered, axes, count


@var.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·2(x − mean)/(n − correction)"""
    centered, axes, count, _ = ctx.saved
    with np.errstate(all="ignore"):
        return np.asarray(repeated_along(dy, centered.shape, axes) * centered * np.divide(2, count, dtype=dy.dtype))


@var.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·2(x − mean)/(n − correction)"""
    _, axes, count, x = ctx.saved
    return repeated(dy * float(np.divide(2, count)), x.shape, axes) * deviation(ctx.input(0, x), axes)


@op
def std(ctx: Node, input: Array, *, dim: Dim = None, correction: float | None = 1, keepdim: bool = False) -> Array:
    """Return the standard deviation: y = √(Σ(x − mean)²/(n − correction)). The gradient is 0 where it is 0.

    Args:
        input: a tensor of floats.
        dim: the dimension or dimensions to reduce; all by default.
        correction: subtracted from the number of elements; 1 belongs to the unbiased variance.
        keepdim: whether the reduced dimensions stay, with size 1.
    """
    y, centered, axes, count = variance("std", input, dim, correction, keepdim)
    with np.errstate(all="ignore"):
        y = root_of_squares(y, centered, axes, keepdim, float(np.divide(1, count)))
    ctx.save(centered, axes, count, y, input)
    return y


@std.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·(x − mean)/((n − correction)·std), 0 where the std is 0"""
    centered, axes, count, y, _ = ctx.saved
    with np.errstate(all="ignore"):
        direction = centered / repeated_along(y, centered.shape, axes)  # of the order of 1 at every scale
        slope = repeated_along(dy / dy.dtype.type(count), centered.shape, axes)
        return np.where(repeated_along(y == 0, centered.shape, axes), 0, slope * direction).astype(dy.dtype)


@std.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·(x − mean)/((n − correction)·std), 0 where the std is 0"""
    _, axes, count, y, x = ctx.saved
    flat = constant(y) == 0
    slope = (dy * float(np.divide(1, count))).masked_fill(flat, 0) / ctx.output(y).masked_fill(flat, 1)
    return repeated(slope, x.shape, axes) * deviation(ctx.input(0, x), axes)


@op
def norm(ctx: Node, input: Array, *, p: float | str | None = 2, dim: Dim = None, keepdim: bool = False) -> Array:
    """Return the vector norm: y = (Σ|x|ᵖ)^(1/p).

    Args:
        input: a tensor of floats.
        p: the order; ∞ gives the largest |x|, −∞ the smallest, 0 the number of nonzero elements; "fro" means 2.
        dim: the dimension or dimensions to reduce; all by default.
        keepdim: whether the reduced dimensions stay, with size 1.
    """
    if p == "nuc":
        raise RuntimeError('norm: the nuclear norm is linalg.matrix_norm(input, "nuc")')
    order = 2.0 if p in ("fro", None) else float(p)
    leave_half("norm", input)
    if not is_real(input):
        raise RuntimeError(f"norm: input must hold floats, got {input.dtype}")
    axes = checked_axes("norm", dim, input.ndim)
    size = np.abs(input)
    if np.isinf(order):
        y = (np.max if order > 0 else np.min)(size, axes, keepdims=keepdim)
    elif order == 0:
        y = np.sum(size != 0, axes, input.dtype, keepdims=keepdim)
    elif order == 2:
        y = root_of_squares(total(kernels.mul(input, input), axes, keepdim), input, axes, keepdim)
    else:
        with np.errstate(all="ignore"):
            powers = np.sum(size**order, axes, input.dtype, keepdims=keepdim)
            y = powers ** input.dtype.type(1 / order)
            if order > 1 and not ((powers > 1e-30) & (powers < np.inf)).all():
                largest = largest_size(input, axes)
                powers = np.sum((size / largest) ** order, axes, input.dtype, keepdims=True)
                y = np.asarray(largest * powers ** input.dtype.type(1 / order)).reshape(y.shape)
    y = np.asarray(y, input.dtype, order="C")
    ctx.save(input, y, order, axes)
    return y


@norm.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·sign x·(|x|/y)^(p−1), 0 where y is 0; for ±∞ shared by the largest (smallest)"""
    x, y, order, axes = ctx.saved
    wide = repeated_along(y, x.shape, axes)
    upstream = repeated_along(dy, x.shape, axes)
    with np.errstate(all="ignore"):
        if np.isinf(order):
            selected = np.abs(x) == wide
            count = np.maximum(np.sum(selected, axes, keepdims=True), 1)
            return np.asarray(upstream * sign_of(x) * selected / count, x.dtype)
        if order == 0:
            return np.zeros_like(x)
        ratio = x / wide if order == 2 else sign_of(x) * (1 if order == 1 else (np.abs(x) / wide) ** (order - 1))
        return np.asarray(np.where((wide == 0) | (x == 0) & (order < 2), 0, upstream * ratio), x.dtype)


@norm.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·sign x·(|x|/y)^(p−1), 0 where y is 0; for ±∞ shared by the largest (smallest)"""
    saved, result, order, axes = ctx.saved
    x, upstream = ctx.input(0, saved), repeated(dy, saved.shape, axes)
    y = repeated(ctx.output(result), saved.shape, axes)
    if np.isinf(order):
        selected = (constant(saved).abs() == repeated(constant(result), saved.shape, axes)).to(saved.dtype)
        return upstream * x.sign() * selected / repeated(selected.sum(axes).clamp(min=1), saved.shape, axes)
    if order in (0, 1):
        return upstream * x.sign() * order
    zero = constant(saved) == 0 if order < 2 else repeated(constant(result), saved.shape, axes) == 0
    y, size = y.masked_fill(zero, 1), x.abs().masked_fill(zero, 1)
    ratio = x / y if order == 2 else x.sign() * (size / y) ** (order - 1)
    return (upstream * ratio).masked_fill(zero, 0)


@op
def logsumexp(ctx: Node, input: Array, *, dim: Dim, keepdim: bool = False) -> Array:
    """Return log Σ eˣ, computed relative to the largest x so that it can't overflow.

    Args:
        input: a tensor; integers and booleans are converted to float32.
        dim: the dimension or dimensions to reduce.
        keepdim: whether the reduced dimensions stay, with size 1.
    """
    leave_half("logsumexp", input)
    axes = checked_axes("logsumexp", dim, input.ndim)
    x = as_float(input)
    with np.errstate(all="ignore"):
        largest = np.max(x, axes, keepdims=True, initial=-np.inf)
        largest = np.where(np.isfinite(largest), largest, 0).astype(x.dtype)
        sum = np.sum(np.exp(x - largest), axes, x.dtype, keepdims=True)
        y = np.asarray(np.log(sum) + largest)
    ctx.save(x, largest, sum, axes)
    return y if keepdim else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])


@logsumexp.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·e^(x − largest)/Σ e^(x − largest): e^(x − y) would have the rounding error of y"""
    x, largest, sum, axes = ctx.saved
    with np.errstate(all="ignore"):
        weight = np.exp(x - largest) / sum
    return np.asarray(repeated_along(dy, x.shape, axes) * weight)


@logsumexp.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·softmax(x) over the reduced dimensions"""
    saved, largest, _, axes = ctx.saved
    weight = (ctx.input(0, saved) - constant(largest)).exp()
    return repeated(dy, saved.shape, axes) * weight / weight.sum(axes, keepdim=True)


@op
def cumsum(ctx: Node, input: Array, *, dim: int, dtype: DType = None) -> Array:
    """Return cumulative sums: yᵢ = x₀ + … + xᵢ. Integers and booleans give int64.

    Args:
        input: a tensor.
        dim: the dimension to sum along.
        dtype: the dtype to sum in; by default that of the input.
    """
    leave_half("cumsum", input)
    axis = checked_axis("cumsum", dim, input.ndim)
    ctx.save(axis, input.dtype)
    wide = np.int64 if input.dtype.kind in "biu" else input.dtype
    return np.asarray(np.cumsum(np.atleast_1d(input), axis, dtype or wide), order="C").reshape(input.shape)


@cumsum.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dxᵢ = dyᵢ + … + dyₙ"""
    axis, dtype = ctx.saved
    return sums_to_end(np.atleast_1d(dy), axis).astype(dtype, copy=False).reshape(dy.shape)


def sums_to_end(x: Array, axis: int) -> Array:
    """yᵢ = xᵢ + … + xₙ"""
    return np.flip(np.cumsum(np.flip(x, axis), axis, x.dtype), axis)


@cumsum.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dxᵢ = dyᵢ + … + dyₙ"""
    axis, dtype = ctx.saved
    return (dy.flip(axis).cumsum(axis).flip(axis) if dy.ndim else dy).to(dtype)


@op
def cumprod(ctx: Node, input: Array, *, dim: int, dtype: DType = None) -> Array:
    """Return cumulative products: yᵢ = x₀·…·xᵢ. Integers and booleans give int64.

    Args:
        input: a tensor.
        dim: the dimension to multiply along.
        dtype: the dtype to multiply in; by default that of the input.
    """
    leave_half("cumprod", input)
    axis = checked_axis("cumprod", dim, input.ndim)
    wide = np.int64 if input.dtype.kind in "biu" else input.dtype
    wide = np.dtype(dtype or wide)
    exact = np.float64 if wide == np.float32 else wide  # as PyTorch, whose products overflow later
    with np.errstate(all="ignore"):
        y = np.cumprod(np.atleast_1d(input), axis, exact).astype(wide, order="C").reshape(input.shape)
    ctx.save(input, y, axis)
    return y


@cumprod.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dxᵢ = Σ over j ≥ i of dyⱼ·yⱼ/xᵢ in front of the first 0 of a line; there, Σ dyⱼ·yⱼ/xᵢ up to the second 0, where
    yⱼ/xᵢ is the product of the other factors; behind it, 0"""
    x, y, axis = ctx.saved
    lines, outputs, upstream = (np.moveaxis(np.atleast_1d(a), axis, -1).astype(dy.dtype) for a in (x, y, dy))
    if not lines.shape[-1] or x.size == 1:
        return dy.astype(x.dtype)
    with np.errstate(all="ignore"):
        zeros = np.cumsum(lines == 0, -1)
        front, between = zeros == 0, zeros == 1
        dx = np.where(front, sums_to_end(np.where(front, upstream * outputs, 0), -1) / lines, 0)
        if not front.all():
            first = between & (lines == 0)
            factors = np.cumprod(np.where(between & ~first, lines, 1), -1, dy.dtype)
            before = np.where(first[..., :1], 1, np.prod(lines, -1, keepdims=True, where=front))
            dx += np.where(first, np.sum(np.where(between, upstream * factors, 0), -1, keepdims=True) * before, 0)
    return np.ascontiguousarray(np.moveaxis(dx, -1, axis), x.dtype).reshape(x.shape)


@cumprod.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dxᵢ = Σ over j ≥ i of dyⱼ·Π over k ≤ j, k ≠ i of xₖ"""
    saved, y, axis = ctx.saved
    if not saved.ndim:
        return dy.to(saved.dtype)
    x = ctx.input(0, saved, saved.dtype).to(y.dtype).movedim(axis, -1)
    n = x.shape[-1]
    others = x.unsqueeze(-2).expand(*x.shape[:-1], n, n)  # row i: all elements, and 1 in place of xᵢ
    slopes = others.masked_fill(constant(np.eye(n, dtype=bool)), 1).cumprod(-1).triu()
    return (slopes * dy.movedim(axis, -1).unsqueeze(-2)).sum(-1).movedim(-1, axis).to(saved.dtype)


def along(name: str, doc: str, function: Any) -> Op:
    """An op along one dimension that gives integers or booleans, and has no gradient."""

    def forward(ctx: Node, input: Array, *, dim: Dim = None, keepdim: bool = False) -> Array:
        if isinstance(dim, (tuple, list)) and not name.startswith("arg"):
            return np.asarray(function(input, axis=checked_axes(name, dim, input.ndim), keepdims=keepdim))
        axis = None if dim is None else checked_axis(name, dim, input.ndim)
        if input.ndim == 0:
            return np.asarray(function(input.reshape(1), axis=0))
        if axis is not None and input.shape[axis] == 0 and name.startswith("arg"):
            raise IndexError(f"{name}: cannot reduce over the empty dimension {dim} of shape {input.shape}")
        if axis is None and input.size == 0 and name.startswith("arg"):
            raise IndexError(f"{name}: cannot reduce an input of shape {input.shape}, which has no elements")
        y = np.asarray(function(input, axis=axis), order="C")
        if keepdim and axis is None:
            return y.reshape((1,) * input.ndim)
        return np.expand_dims(y, axis) if keepdim and axis is not None else y

    forward.__name__, forward.__module__ = name, __name__
    forward.__doc__ = f"""{doc}

    Args:
        input: a tensor.
        dim: the dimension to reduce; by default all elements are reduced to one.
        keepdim: whether the reduced dimension stays, with size 1.
    """
    return op(forward)


argmax = along(
    "argmax", "Return the index of the largest element, in the flattened tensor where no dim is given.", np.argmax
)
argmin = along(
    "argmin", "Return the index of the smallest element, in the flattened tensor where no dim is given.", np.argmin
)
all = along("all", "Return whether all elements are true (nonzero).", np.all)
any = along("any", "Return whether any element is true (nonzero).", np.any)
count_nonzero = along("count_nonzero", "Count the nonzero elements.", np.count_nonzero)
