"""Reading and writing at places, and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.shape import BEFORE_FIRST, LAST
from cygrad.integrations.onnx.translations.table import translates
from cygrad.ops import index


@translates(index.getitem)
def getitem(call: Call) -> Any:
    """Slices in one node; then integers and arrays, from the last axis on; new axes at the end. Next to an array,
    integers and other arrays would have rules of their own."""
    x, key = call.tensor(), call.options["key"]
    parts = list(key) if isinstance(key, tuple) else [key]
    arrays = [isinstance(p, np.ndarray) for p in parts]
    if sum(arrays) > 1 or (any(arrays) and any(isinstance(p, (int, np.integer)) for p in parts)):
        call.refuse("with several arrays, or an array beside integers, for an index")
    named = sum(p is not None and p is not Ellipsis for p in parts)
    if not any(p is Ellipsis for p in parts):
        parts.append(Ellipsis)
    place = next(i for i, p in enumerate(parts) if p is Ellipsis)
    parts[place : place + 1] = [slice(None)] * (x.ndim - named)
    own = [p for p in parts if p is not None]
    name = sliced(call, x.name, own)
    for axis in reversed(range(x.ndim)):
        if not isinstance(own[axis], slice):
            name = call.add("Gather", name, chosen_rows(call, own[axis], x.shape[axis], x.other[axis]), axis=axis)
    new, axis = [], 0
    for part in parts:
        if part is None:
            new.append(axis)
        axis += 1 if part is None or isinstance(part, slice) else getattr(part, "ndim", 0)
    return call.add("Unsqueeze", name, call.integers(*new)) if new else name


def sliced(call: Call, name: str, parts: list[Any]) -> str:
    """The slices of an index that are not the whole axis."""
    cuts = [(axis, p) for axis, p in enumerate(parts) if isinstance(p, slice) and p != slice(None)]
    if not cuts:
        return name
    starts, ends, steps = [], [], []
    for _, cut in cuts:
        step = 1 if cut.step is None else cut.step
        starts.append((0 if step > 0 else LAST) if cut.start is None else cut.start)
        ends.append((LAST if step > 0 else BEFORE_FIRST) if cut.stop is None else cut.stop)
        steps.append(step)
    columns = starts, ends, [axis for axis, _ in cuts], steps
    return str(call.add("Slice", name, *[call.integers(*column) for column in columns]))


def chosen_rows(call: Call, part: Any, size: int, other: int) -> str:
    """What Gather takes for an integer, an array of integers, or a mask of one axis."""
    array = np.asarray(part)
    if array.dtype.kind == "b":
        if array.ndim != 1 or size != other:
            call.refuse("with a mask of several axes or of the batch for an index")
        array = np.flatnonzero(array)
    return call.graph.constant(array, np.int64)


@translates(index.gather)
def gather(call: Call) -> Any:
    axis, x, places = call.axis(), call.tensor(0), call.tensor(1)
    for shape, wanted in (places.shape, x.shape), (places.other, x.other):
        if shape[:axis] + shape[axis + 1 :] != wanted[:axis] + wanted[axis + 1 :]:
            call.refuse("unless the index has the input's size beside its axis")
    return call.add("GatherElements", call.name(0), call.name(1, np.int64), axis=axis)


@translates(index.scatter, index.scatter_add)
def scatter(call: Call) -> Any:
    places, values = call.tensor(1), call.args[2]
    if getattr(values, "shape", None) != places.shape:
        call.refuse("unless index and src have one shape")
    inputs = call.name(0), call.name(1, np.int64), call.name(2, call.dtype)
    way = "add" if call.op is index.scatter_add else "none"
    return call.add("ScatterElements", *inputs, axis=call.axis(), reduction=way)


@translates(index.index_select)
def index_select(call: Call) -> Any:
    places = call.reshaped(call.name(1, np.int64), [-1], [-1])
    return call.add("Gather", call.name(0), places, axis=call.axis())


def ordered(call: Call, first: int, second: int, axis: int, largest: bool) -> Any:
    """(the `first` largest or smallest along an axis, in order; their places); `second` as many in the second trace."""
    count = call.graph.sizes([first], [second])
    return call.add("TopK", call.name(), count, axis=axis, largest=int(largest), sorted=1, count=2)


@translates(index.topk)
def topk(call: Call) -> Any:
    k = int(call.options["k"])
    return ordered(call, k, k, call.axis(), call.options["largest"])


@translates(index.sort, index.argsort)
def sort(call: Call) -> Any:
    x, axis = call.tensor(), call.axis()
    both = ordered(call, x.shape[axis], x.other[axis], axis, call.options["descending"])
    return both if call.op is index.sort else both[1]


@translates(index.masked_fill)
def masked_fill(call: Call) -> Any:
    return call.add("Where", call.name(1), call.name(2, call.dtype), call.name(0))
