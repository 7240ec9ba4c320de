"""Sums, means and extremes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.registry import TRANSLATIONS, AnyOp, Translation, translates
from cygrad.ops import reduce
from cygrad.ops.axes import checked_axes


def reduce_axes(call: Call, kind: str, x: str, axes: tuple[int, ...], keepdim: bool = True) -> str:
    """A reduction. Its axes are an input or an attribute, depending on the opset."""
    if not axes:
        return str(call.add(kind, x, keepdims=int(keepdim)))
    if kind == "ReduceSum" or call.graph.opset >= 18:
        return str(call.add(kind, x, call.integers(*axes), keepdims=int(keepdim)))
    return str(call.add(kind, x, axes=list(axes), keepdims=int(keepdim)))


def center(call: Call, x: str, axes: tuple[int, ...]) -> str:
    """x − mean, twice: the second time removes the rounding error of a mean far from 0."""
    for _ in range(2):
        x = call.add("Sub", x, reduce_axes(call, "ReduceMean", x, axes))
    return x


def axes_of(call: Call) -> tuple[int, ...]:
    return checked_axes(call.op.name, call.options.get("dim"), call.tensor().ndim)


def reduction(kind: str) -> Translation:
    """The translation of a reduction to the ONNX operator `kind`."""
    return lambda call: reduce_axes(call, kind, call.name(0, call.dtype), axes_of(call), call.options["keepdim"])


REDUCTIONS: dict[AnyOp, str] = {
    reduce.sum: "ReduceSum",
    reduce.mean: "ReduceMean",
    reduce.prod: "ReduceProd",
    reduce.amax: "ReduceMax",
    reduce.amin: "ReduceMin",
    reduce.whole_max: "ReduceMax",
    reduce.whole_min: "ReduceMin",
    reduce.logsumexp: "ReduceLogSumExp",
}
TRANSLATIONS.update({op: reduction(kind) for op, kind in REDUCTIONS.items()})


@translates(reduce.var, reduce.std)
def variance(call: Call) -> Any:
    """The mean of (x − mean)², multiplied by n/(n − correction)."""
    x, axes, keepdim = call.tensor(), axes_of(call), call.options["keepdim"]
    deviation = center(call, x.name, axes)
    y = reduce_axes(call, "ReduceMean", call.add("Mul", deviation, deviation), axes, keepdim)
    correction = call.options["correction"]
    if correction:
        first, second = (math.prod(shape[axis] for axis in axes) for shape in (x.shape, x.other))
        count = call.graph.cast(call.graph.shape([first], [second]), call.dtype)
        ratio = call.add("Div", count, call.add("Sub", count, call.scalar(correction)))
        y = call.add("Mul", y, call.add("Squeeze", ratio))
    return call.add("Sqrt", y) if call.op is reduce.std else y


@translates(reduce.norm)
def norm(call: Call) -> Any:
    p, axes, keepdim, x = call.options["p"], axes_of(call), call.options["keepdim"], call.name()
    order = 2.0 if p in ("fro", None) else float(p)
    if order in (1, 2):
        return reduce_axes(call, f"ReduceL{int(order)}", x, axes, keepdim)
    size = call.add("Abs", x)
    if math.isinf(order):
        return reduce_axes(call, "ReduceMax" if order > 0 else "ReduceMin", size, axes, keepdim)
    if order == 0:
        return reduce_axes(call, "ReduceSum", call.add("Sign", size), axes, keepdim)
    powers = reduce_axes(call, "ReduceSum", call.add("Pow", size, call.scalar(order)), axes, keepdim)
    return call.add("Pow", powers, call.scalar(1 / order))


@translates(reduce.argmax, reduce.argmin)
def index_of_extreme(call: Call) -> Any:
    kind = "ArgMax" if call.op is reduce.argmax else "ArgMin"
    dim = call.options["dim"]
    if dim is None:
        return call.add(kind, call.add("Reshape", call.name(), call.integers(-1)), axis=0, keepdims=0)
    return call.add(kind, call.name(), axis=call.axis(), keepdims=int(call.options["keepdim"]))


@translates(reduce.max_along, reduce.min_along)
def extreme_and_index(call: Call) -> Any:
    axis = call.axis()
    kind = "ArgMax" if call.op is reduce.max_along else "ArgMin"
    indices = call.add(kind, call.name(), axis=axis, keepdims=1)
    values = call.add("GatherElements", call.name(), indices, axis=axis)
    if call.options["keepdim"]:
        return [values, indices]
    return [call.add("Squeeze", y, call.integers(axis)) for y in (values, indices)]


@translates(reduce.all, reduce.any, reduce.count_nonzero)
def counting(call: Call) -> Any:
    """Reductions of zeros and ones."""
    ones = call.graph.cast(call.name(0, np.bool_), np.int64)
    kinds = {reduce.all: "ReduceMin", reduce.any: "ReduceMax", reduce.count_nonzero: "ReduceSum"}
    keepdim = call.options["keepdim"] and call.options["dim"] is not None
    y = reduce_axes(call, kinds[call.op], ones, axes_of(call), keepdim)
    return y if call.op is reduce.count_nonzero else call.graph.cast(y, np.bool_)


@translates(reduce.cumsum)
def cumsum(call: Call) -> Any:
    return call.add("CumSum", call.name(0, call.dtype), call.graph.constant(call.axis(), np.int64))
