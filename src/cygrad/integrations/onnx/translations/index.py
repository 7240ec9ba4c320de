"""Reading and writing at indices, and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.registry import translates
from cygrad.integrations.onnx.translations.shape import BEFORE_FIRST, LAST
from cygrad.ops import index


@translates(index.getitem)
def getitem(call: Call) -> Any:
    """Slices in one node, then integers and arrays from the last axis to the first, then new axes. Combinations of an
    array with integers or other arrays are refused: NumPy moves their axes."""
    x, key = call.tensor(), call.options["key"]
    parts = list(key) if isinstance(key, tuple) else [key]
    arrays = [isinstance(p, np.ndarray) for p in parts]
    if sum(arrays) > 1 or (any(arrays) and any(isinstance(p, (int, np.integer)) for p in parts)):
        call.refuse("with several arrays, or an array and integers, as an index")
    indexed = sum(p is not None and p is not Ellipsis for p in parts)
    if not any(p is Ellipsis for p in parts):
        parts.append(Ellipsis)
    ellipsis = next(i for i, p in enumerate(parts) if p is Ellipsis)
    parts[ellipsis : ellipsis + 1] = [slice(None)] * (x.ndim - indexed)
    per_axis = [p for p in parts if p is not None]
    name = slice_axes(call, x.name, per_axis)
    for axis in reversed(range(x.ndim)):
        if not isinstance(per_axis[axis], slice):
            rows = gather_indices(call, per_axis[axis], x.shape[axis], x.other[axis])
            name = call.add("Gather", name, rows, axis=axis)
    new, axis = [], 0
    for part in parts:
        if part is None:
            new.append(axis)
        axis += 1 if part is None or isinstance(part, slice) else getattr(part, "ndim", 0)
    return call.add("Unsqueeze", name, call.integers(*new)) if new else name


def slice_axes(call: Call, name: str, parts: list[Any]) -> str:
    """Applies the slices of an index that do not cover their whole axis."""
    slices = [(axis, p) for axis, p in enumerate(parts) if isinstance(p, slice) and p != slice(None)]
    if not slices:
        return name
    starts, ends, steps = [], [], []
    for _, part in slices:
        step = 1 if part.step is None else part.step
        starts.append((0 if step > 0 else LAST) if part.start is None else part.start)
        ends.append((LAST if step > 0 else BEFORE_FIRST) if part.stop is None else part.stop)
        steps.append(step)
    columns = starts, ends, [axis for axis, _ in slices], steps
    return str(call.add("Slice", name, *[call.integers(*column) for column in columns]))


def gather_indices(call: Call, part: Any, size: int, other: int) -> str:
    """The indices for Gather from an integer, an array of integers, or a mask of one axis."""
    array = np.asarray(part)
    if array.dtype.kind == "b":
        if array.ndim != 1 or size != other:
            call.refuse("with a mask over several axes or over the batch as an index")
        array = np.flatnonzero(array)
    return call.graph.constant(array, np.int64)


@translates(index.gather)
def gather_elements(call: Call) -> Any:
    axis, x, indices = call.axis(), call.tensor(0), call.tensor(1)
    for shape, expected in (indices.shape, x.shape), (indices.other, x.other):
        if shape[:axis] + shape[axis + 1 :] != expected[:axis] + expected[axis + 1 :]:
            call.refuse("unless index and input have equal sizes along all other axes")
    return call.add("GatherElements", call.name(0), call.name(1, np.int64), axis=axis)


@translates(index.scatter, index.scatter_add)
def scatter(call: Call) -> Any:
    indices, values = call.tensor(1), call.args[2]
    if getattr(values, "shape", None) != indices.shape:
        call.refuse("unless index and src have the same shape")
    inputs = call.name(0), call.name(1, np.int64), call.name(2, call.dtype)
    reduction = "add" if call.op is index.scatter_add else "none"
    return call.add("ScatterElements", *inputs, axis=call.axis(), reduction=reduction)


@translates(index.index_select)
def index_select(call: Call) -> Any:
    indices = call.reshape(call.name(1, np.int64), [-1], [-1])
    return call.add("Gather", call.name(0), indices, axis=call.axis())


def sorted_extremes(call: Call, first: int, second: int, axis: int, largest: bool) -> Any:
    """The k largest or smallest elements along an axis, in order, and their indices; k is `first` in the first trace
    and `second` in the second."""
    count = call.graph.shape([first], [second])
    return call.add("TopK", call.name(), count, axis=axis, largest=int(largest), sorted=1, count=2)


@translates(index.topk)
def topk(call: Call) -> Any:
    k = int(call.options["k"])
    return sorted_extremes(call, k, k, call.axis(), call.options["largest"])


@translates(index.sort, index.argsort)
def sort(call: Call) -> Any:
    x, axis = call.tensor(), call.axis()
    both = sorted_extremes(call, x.shape[axis], x.other[axis], axis, call.options["descending"])
    return both if call.op is index.sort else both[1]


@translates(index.masked_fill)
def masked_fill(call: Call) -> Any:
    return call.add("Where", call.name(1), call.name(2, call.dtype), call.name(0))


@translates(index.placed)
def placed(call: Call) -> Any:
    """Zeros around a tensor: slices that leave out whole ends only."""
    key, x, y = call.options["key"], call.tensor(), call.outputs[0]
    ranges = [part.indices(n) for part, n in zip(key, y.shape)] if all([isinstance(p, slice) for p in key]) else []
    if len(ranges) != x.ndim or any([step != 1 for _, _, step in ranges]):
        call.refuse("with such an index")
    before = [start for start, _, _ in ranges]
    after = [n - stop for n, (_, stop, _) in zip(y.shape, ranges)]
    later = [m - a - b for m, a, b in zip(y.other, before, after)]
    if [*x.other] != later:
        call.refuse("whose place depends on the size of the batch")
    return call.add("Pad", x.name, call.integers(*before, *after))
