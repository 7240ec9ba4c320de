"""Sums, means, extremes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.table import TRANSLATIONS, AnyOp, Translation, translates
from cygrad.ops import reduce
from cygrad.ops.axes import checked_axes


def reduced(call: Call, kind: str, x: str, axes: tuple[int, ...], keepdim: bool = True) -> str:
    """A reduction; where its axes stand depends on the opset."""
    if not axes:
        return str(call.add(kind, x, keepdims=int(keepdim)))
    if kind == "ReduceSum" or call.graph.opset >= 18:
        return str(call.add(kind, x, call.integers(*axes), keepdims=int(keepdim)))
    return str(call.add(kind, x, axes=list(axes), keepdims=int(keepdim)))


def centred(call: Call, x: str, axes: tuple[int, ...]) -> str:
    """x − mean, and once more: the second mean is what rounding left of the first where it is far from 0."""
    for _ in range(2):
        x = call.add("Sub", x, reduced(call, "ReduceMean", x, axes))
    return x


def axes_of(call: Call) -> tuple[int, ...]:
    return checked_axes(call.op.name, call.options.get("dim"), call.tensor().ndim)


def reduction(kind: str) -> Translation:
    """The translation of a reduction that ONNX has."""
    return lambda call: reduced(call, kind, call.name(0, call.dtype), axes_of(call), call.options["keepdim"])


REDUCTIONS: dict[AnyOp, str] = {
    reduce.sum: "ReduceSum",
    reduce.mean: "ReduceMean",
    reduce.prod: "ReduceProd",
    reduce.amax: "ReduceMax",
    reduce.amin: "ReduceMin",
    reduce.logsumexp: "ReduceLogSumExp",
}
TRANSLATIONS.update({op: reduction(kind) for op, kind in REDUCTIONS.items()})


@translates(reduce.var, reduce.std)
def variance(call: Call) -> Any:
    """The mean of (x − mean)², times n/(n − correction)."""
    x, axes, keepdim = call.tensor(), axes_of(call), call.options["keepdim"]
    deviation = centred(call, x.name, axes)
    y = reduced(call, "ReduceMean", call.add("Mul", deviation, deviation), axes, keepdim)
    correction = call.options["correction"]
    if correction:
        first, second = (math.prod(shape[axis] for axis in axes) for shape in (x.shape, x.other))
        count = call.graph.cast(call.graph.sizes([first], [second]), call.dtype)
        ratio = call.add("Div", count, call.add("Sub", count, call.number(correction)))
        y = call.add("Mul", y, call.add("Squeeze", ratio))
    return call.add("Sqrt", y) if call.op is reduce.std else y


@translates(reduce.norm)
def norm(call: Call) -> Any:
    p, axes, keepdim, x = call.options["p"], axes_of(call), call.options["keepdim"], call.name()
    order = 2.0 if p in ("fro", None) else float(p)
    if order in (1, 2):
        return reduced(call, f"ReduceL{int(order)}", x, axes, keepdim)
    size = call.add("Abs", x)
    if math.isinf(order):
        return reduced(call, "ReduceMax" if order > 0 else "ReduceMin", size, axes, keepdim)
    if order == 0:
        return reduced(call, "ReduceSum", call.add("Sign", size), axes, keepdim)
    powers = reduced(call, "ReduceSum", call.add("Pow", size, call.number(order)), axes, keepdim)
    return call.add("Pow", powers, call.number(1 / order))


@translates(reduce.argmax, reduce.argmin)
def position(call: Call) -> Any:
    kind = "ArgMax" if call.op is reduce.argmax else "ArgMin"
    dim = call.options["dim"]
    if dim is None:
        return call.add(kind, call.add("Reshape", call.name(), call.integers(-1)), axis=0, keepdims=0)
    return call.add(kind, call.name(), axis=call.axis(), keepdims=int(call.options["keepdim"]))


@translates(reduce.max_along, reduce.min_along)
def extreme_and_position(call: Call) -> Any:
    axis = call.axis()
    kind = "ArgMax" if call.op is reduce.max_along else "ArgMin"
    places = call.add(kind, call.name(), axis=axis, keepdims=1)
    values = call.add("GatherElements", call.name(), places, axis=axis)
    if call.options["keepdim"]:
        return [values, places]
    return [call.add("Squeeze", y, call.integers(axis)) for y in (values, places)]


@translates(reduce.all, reduce.any, reduce.count_nonzero)
def counting(call: Call) -> Any:
    """Over zeros and ones."""
    ones = call.graph.cast(call.name(0, np.bool_), np.int64)
    kinds = {reduce.all: "ReduceMin", reduce.any: "ReduceMax", reduce.count_nonzero: "ReduceSum"}
    keepdim = call.options["keepdim"] and call.options["dim"] is not None
    y = reduced(call, kinds[call.op], ones, axes_of(call), keepdim)
    return y if call.op is reduce.count_nonzero else call.graph.cast(y, np.bool_)


@translates(reduce.cumsum)
def cumsum(call: Call) -> Any:
    return call.add("CumSum", call.name(0, call.dtype), call.graph.constant(call.axis(), np.int64))
