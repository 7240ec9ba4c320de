"""Sums, means, quantiles and running extremes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from cygrad._typing import Array, Dim, DType, Tensor
from cygrad.autograd import engine, recording
from cygrad.autograd.calls import requires_tensor
from cygrad.config import default_float
from cygrad.functions.indexing import gather
from cygrad.functions.ordering import ValuesAndIndices
from cygrad.ops import arithmetic, reduce, shape
from cygrad.ops.axes import checked_axis
from cygrad.ops.definition import constant
from cygrad.ops.index import argsort

__all__ = [
    "aminmax", "cummax", "cummin", "cumulative_trapezoid", "diff", "gradient", "kthvalue", "logcumsumexp", "median",
    "mode", "msort", "nanmean", "nanmedian", "nanquantile", "nansum", "quantile", "trapezoid", "trapz",
]  # fmt: skip


@requires_tensor
def nansum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType = None) -> Tensor:
    """Return the sum of the elements that are not NaN."""
    return reduce.sum(input.masked_fill(input.isnan(), 0), dim=dim, keepdim=keepdim, dtype=dtype)


@requires_tensor
def nanmean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType = None) -> Tensor:
    """Return the mean of the elements that are not NaN."""
    there = ~input.isnan()
    return nansum(input, dim, keepdim, dtype=dtype) / reduce.sum(there.to(input.dtype), dim=dim, keepdim=keepdim)


@requires_tensor
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return (smallest, largest) of all elements or along a dimension."""
    if dim is None and 0 in input.shape:
        raise RuntimeError(f"aminmax: cannot reduce an input of shape {input.shape}, which has no elements")
    if dim is None and keepdim and input.ndim:
        low = reduce.amin(input, dim=(), keepdim=True)
        return low, reduce.amax(input, dim=(), keepdim=True)
    return reduce.amin(input, dim=() if dim is None else dim, keepdim=keepdim), reduce.amax(
        input, dim=() if dim is None else dim, keepdim=keepdim
    )


def _chosen(
    name: str, input: Tensor, dim: int, keepdim: bool, choose: Callable[[Array, int], Array]
) -> ValuesAndIndices:
    """The elements at the indices that `choose` finds along an axis of an array, which it keeps."""
    axis = checked_axis(name, dim, input.ndim)
    if input.ndim and not input.shape[axis]:
        raise IndexError(f"{name}: cannot reduce over the empty dimension {dim} of shape {input.shape}")
    x = input if input.ndim else input.reshape(1)
    positions = engine.wrap(recording.produced(lambda a: np.asarray(choose(a, axis), np.int64, order="C"), x.array))
    values = gather(x, axis, positions)
    if not input.ndim:
        return ValuesAndIndices(values.reshape(()), positions.reshape(()))
    return (
        ValuesAndIndices(values, positions)
        if keepdim
        else ValuesAndIndices(values.squeeze(axis), positions.squeeze(axis))
    )


def _nth(n: int) -> Callable[[Array, int], Array]:
    """The index of the n-th smallest element, counted from 0; NaN is the largest."""
    return lambda a, axis: np.take(np.argsort(a, axis, kind="stable"), [n], axis)


def _middle(a: Array, axis: int) -> Array:
    """The index of the lower median, or that of a NaN."""
    nan = np.isnan(a)
    middle = np.take(np.argsort(a, axis, kind="stable"), [(a.shape[axis] - 1) // 2], axis)
    return np.where(nan.any(axis, keepdims=True), np.argmax(nan, axis, keepdims=True), middle)


def _nan_middle(a: Array, axis: int) -> Array:
    """The index of the lower median of the elements that are not NaN."""
    count = np.sum(~np.isnan(a), axis, keepdims=True)
    return np.take_along_axis(np.argsort(a, axis, kind="stable"), np.maximum(count - 1, 0) // 2, axis)


@requires_tensor
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the median, of two middle elements the lower one; along a dimension (values, indices)."""
    if dim is None:
        return _whole(input, "median", _middle)
    return _chosen("median", input, dim, keepdim, _middle)


def _whole(input: Tensor, name: str, choose: Callable[[Array, int], Array]) -> Tensor:
    if not input.numel():
        return engine.wrap(np.full((), np.nan, input.dtype))
    return _chosen(name, input.reshape(-1), 0, False, choose).values


@requires_tensor
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the median of the elements that are not NaN; along a dimension (values, indices)."""
    if dim is None:
        return _whole(input, "nanmedian", _nan_middle)
    return _chosen("nanmedian", input, dim, keepdim, _nan_middle)


@requires_tensor
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """Return the k-th smallest element along a dimension, counted from 1, and its index."""
    size = input.shape[checked_axis("kthvalue", dim, input.ndim)] if input.ndim else 1
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue: k must be from 1 to {size}, got {k}")
    return _chosen("kthvalue", input, dim, keepdim, _nth(k - 1))


def _most_frequent(a: Array, axis: int) -> Array:
    """The last index of the smallest of the most frequent elements."""
    order = np.argsort(a, axis, kind="stable")
    line = np.moveaxis(np.take_along_axis(a, order, axis), axis, -1)
    new = np.concatenate([np.ones_like(line[..., :1], bool), line[..., 1:] != line[..., :-1]], -1)
    place = np.arange(line.shape[-1])
    length = place - np.maximum.accumulate(np.where(new, place, 0), -1)
    last = np.expand_dims(np.argmax(length, -1), -1)
    return np.take_along_axis(order, np.moveaxis(last, -1, axis), axis)


@requires_tensor
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """Return the most frequent element along a dimension, the smallest of several, and the last index of it."""
    return _chosen("mode", input, dim, keepdim, _most_frequent)


def _running(accumulate: Any) -> Callable[[Array, int], Array]:
    """The index of the running extreme at each position, the last of equal ones."""

    def choose(a: Array, axis: int) -> Array:
        place = np.arange(a.shape[axis]).reshape([-1 if i == axis else 1 for i in range(a.ndim)])
        extreme = accumulate(a, axis)
        return np.maximum.accumulate(np.where((a == extreme) | np.isnan(a), place, 0), axis)

    return choose


def _cumulative(name: str, input: Tensor, dim: int, accumulate: Any) -> ValuesAndIndices:
    axis = checked_axis(name, dim, input.ndim)
    if not input.numel():
        return ValuesAndIndices(shape.clone(input), engine.wrap(np.zeros(input.shape, np.int64)))
    return _chosen(name, input, axis, True, _running(accumulate))


@requires_tensor
def cummax(input: Tensor, dim: int) -> ValuesAndIndices:
    """Return the largest element so far along a dimension, and its index."""
    return _cumulative("cummax", input, dim, np.maximum.accumulate)


@requires_tensor
def cummin(input: Tensor, dim: int) -> ValuesAndIndices:
    """Return the smallest element so far along a dimension, and its index."""
    return _cumulative("cummin", input, dim, np.minimum.accumulate)


@requires_tensor
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Return log(e^x₀ + … + e^xᵢ) along a dimension."""
    axis = checked_axis("logcumsumexp", dim, input.ndim)
    if not input.numel():
        return shape.clone(input)
    x = input if input.ndim else input.reshape(1)
    n = x.shape[axis]
    lines = x.movedim(axis, -1).unsqueeze(-2).expand(*[m for i, m in enumerate(x.shape) if i != axis], n, n)
    earlier = constant(np.tril(np.ones((n, n), bool)))
    result = reduce.logsumexp(lines.masked_fill(~earlier, -float("inf")), dim=-1).movedim(-1, axis)
    return result.contiguous() if input.ndim else result.reshape(())


@requires_tensor
def msort(input: Tensor) -> Tensor:
    """Sort along the first dimension."""
    return gather(input, 0, argsort(input, dim=0))


INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(
    name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip_nan: bool
) -> Tensor:
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(f"{name}: interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}")
    if not input.is_floating_point():
        raise RuntimeError(f"{name}: input must hold floats, got {input.dtype}")
    if not input.numel():
        raise RuntimeError(f"{name}: input must not be empty")
    sloped = isinstance(q, engine.Value) and q.requires_grad and interpolation == "linear"
    levels = q.array if isinstance(q, engine.Value) else np.asarray(q, input.dtype)
    if levels.ndim > 1 or levels.dtype != input.dtype:
        raise RuntimeError(f"{name}: q must be a number or a vector of {input.dtype}, got {levels.dtype}{levels.shape}")
    if not ((levels >= 0) & (levels <= 1)).all():
        raise RuntimeError(f"{name}: q must be from 0 to 1")
    axis = 0 if dim is None else checked_axis(name, dim, input.ndim)
    x = (input.reshape(-1) if dim is None or not input.ndim else input).movedim(axis, -1)
    x = gather(x, -1, argsort(x, dim=-1))
    count = (~x.isnan()).to(x.dtype).sum(-1, keepdim=True).array
    n = np.maximum(count, 1) if skip_nan else np.full_like(count, x.shape[-1])
    rank = levels.reshape(-1) * (n - 1)
    if not skip_nan:
        rank = np.where(count < n, n - 1, rank)
    if interpolation == "nearest":
        rank = np.rint(rank)
    low = np.floor(rank) if interpolation != "higher" else np.ceil(rank)
    below = gather(x, -1, constant(low.astype(np.int64)))
    if interpolation in ("linear", "midpoint"):
        above = gather(x, -1, constant(np.ceil(rank).astype(np.int64)))
        share = rank - low if interpolation == "linear" else np.where(rank > low, 0.5, 0)
        weight = constant(share.astype(x.dtype))
        if sloped:  # the rank grows by n − 1 for each unit of q
            weight = weight + (q.reshape(-1) - constant(levels.reshape(-1))) * constant((n - 1).astype(x.dtype))
        below = arithmetic.lerp(below, above, weight)
    if keepdim:
        size = [1] * input.ndim if dim is None else [1 if i == axis else m for i, m in enumerate(input.shape)]
        result = below.movedim(-1, 0).reshape([levels.size, *size])
    else:
        result = below.movedim(-1, 0)
    return result if levels.ndim else result.squeeze(0)


@requires_tensor
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Return quantiles, of all elements or along a dimension.

    Args:
        input: a float tensor.
        q: the levels, a number or a vector of numbers from 0 to 1; the results of a vector are the first dimension.
        dim: the dimension, by default the flattened tensor.
        keepdim: whether the reduced dimension stays, with size 1.
        interpolation: between two elements "linear", "lower", "higher", "midpoint" or "nearest".
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@requires_tensor
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Return quantiles of the elements that are not NaN, as :func:`quantile`."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


@requires_tensor
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Return the n-th differences of neighbors along a dimension, after joining `prepend` and `append` to it."""
    if not input.ndim:
        raise RuntimeError("diff: input must have at least one dimension")
    axis = checked_axis("diff", dim, input.ndim)
    if n < 0:
        raise RuntimeError(f"diff: n must not be negative, got {n}")
    if n == 0:
        return shape.clone(input)
    parts = [p for p in (prepend, input, append) if p is not None]
    x = shape.cat(parts, axis) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[axis] + 1)):  # then nothing is left
        size = max(x.shape[axis] - 1, 0)
        later, earlier = x.narrow(axis, min(1, x.shape[axis]), size), x.narrow(axis, 0, size)
        x = later ^ earlier if x.dtype.kind == "b" else later - earlier
    return x


def _steps(y: Tensor, x: Any, dx: Any, dim: int) -> Any:
    if x is None:
        return 1 if dx is None else dx
    if x.ndim == 1 and y.ndim > 1:
        return diff(x).reshape([-1 if i == dim % y.ndim else 1 for i in range(y.ndim)])
    return diff(x, dim=dim if x.ndim == y.ndim else -1)


@requires_tensor
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """Integrate along a dimension by the trapezoidal rule: Σ Δxᵢ·(yᵢ + yᵢ₊₁)/2, where Δx is dx or the steps of x."""
    return _areas(y, x, dx, dim).sum(dim)


@requires_tensor
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """Integrate along a dimension up to each position, as :func:`trapezoid`."""
    return _areas(y, x, dx, dim).cumsum(dim)


def _areas(y: Tensor, x: Any, dx: Any, dim: int) -> Tensor:
    axis = checked_axis("trapezoid", dim, y.ndim)
    size = max(y.shape[axis] - 1, 0)
    pairs = y.narrow(axis, min(1, y.shape[axis]), size) + y.narrow(axis, 0, size)
    return _steps(y, x, dx, dim) * pairs / 2


trapz = trapezoid


@requires_tensor
def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Estimate the gradient by central differences in the interior, and one-sided ones at the edges.

    Args:
        input: a tensor of values.
        spacing: the distance of neighbors, one for all or one a dimension.
        dim: the dimension or dimensions, all by default.
        edge_order: 1, or 2 for parabolas at the edges.
    """
    named = list(range(input.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    axes = [checked_axis("gradient", d, input.ndim) for d in named]
    if edge_order not in (1, 2):
        raise RuntimeError(f"gradient: edge_order must be 1 or 2, got {edge_order}")
    if len(set(axes)) < len(axes):
        raise RuntimeError(f"gradient: a dim appears twice in {named}")
    if isinstance(spacing, (tuple, list)) and len(spacing) != len(axes):
        raise RuntimeError(f"gradient: {len(spacing)} spacings do not fit {len(axes)} dims")
    steps = list(spacing) if isinstance(spacing, (tuple, list)) else [1 if spacing is None else spacing] * len(axes)
    return tuple([_slopes(input, d, s, edge_order) for d, s in zip(axes, steps)])


def _places(step: Any, n: int, x: Tensor) -> Any:
    """The positions of n values, of which a tensor is given, or their distance."""
    if not isinstance(step, (int, float, np.number, engine.Value)):
        raise TypeError(f"gradient: spacing must be a number or a tensor, got {type(step).__name__}")
    size = step.array.shape if isinstance(step, engine.Value) else ()
    if size not in ((), (n,)):
        raise RuntimeError(f"gradient: spacing must have size {n}, as the dimension has, got shape {size}")
    dtype = x.dtype if x.is_floating_point() else default_float()
    return step if size else constant((np.arange(n) * float(cast(Any, step))).astype(dtype))


def _slopes(x: Tensor, dim: int, step: Any, edge_order: int) -> Tensor:
    axis = checked_axis("gradient", dim, x.ndim)
    n = x.shape[axis]
    if n < edge_order + 1:
        raise RuntimeError(f"gradient: dim {dim} of size {n} is too small for edge_order {edge_order}")
    place = _places(step, n, x).reshape([-1 if i == axis else 1 for i in range(x.ndim)])

    def part(a: Tensor, start: int, size: int) -> Tensor:
        return a.narrow(axis, start, size)

    h = part(place, 1, n - 1) - part(place, 0, n - 1)
    slope = (part(x, 1, n - 1) - part(x, 0, n - 1)) / h
    left, right = part(slope, 0, n - 2), part(slope, 1, n - 2)
    a, b = part(h, 0, n - 2), part(h, 1, n - 2)
    inner = (left * b + right * a) / (a + b)
    first, last = part(slope, 0, 1), part(slope, n - 2, 1)
    if edge_order == 2:
        first = first + (first - part(slope, 1, 1)) * part(h, 0, 1) / (part(h, 0, 1) + part(h, 1, 1))
        last = last + (last - part(slope, n - 3, 1)) * part(h, n - 2, 1) / (part(h, n - 3, 1) + part(h, n - 2, 1))
    return shape.cat([first, inner, last], axis)
