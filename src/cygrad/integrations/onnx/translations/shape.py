"""Shapes, joining and repeating."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.registry import translates
from cygrad.ops import shape
from cygrad.ops.axes import checked_axis


@translates(shape.reshape)
def reshape(call: Call) -> Any:
    """In the shape, 0 keeps the input's size at this axis, and −1 is computed from the other sizes."""
    x, y = call.tensor(), call.outputs[0]
    sizes = list(y.shape)
    for axis, (a, b) in enumerate(zip(y.shape, y.other)):
        if a != b:
            same = axis < x.ndim and (x.shape[axis], x.other[axis]) == (a, b)
            sizes[axis] = 0 if same else -1
    if sizes.count(-1) > 1 or 0 in y.shape:
        return call.reshape(x.name, y.shape, y.other)
    return call.add("Reshape", x.name, call.integers(*sizes))


@translates(shape.permute)
def permute(call: Call) -> Any:
    ndim = call.tensor().ndim
    return call.add("Transpose", call.name(), perm=[checked_axis("permute", d, ndim) for d in call.options["dims"]])


@translates(shape.expand)
def expand(call: Call) -> Any:
    """In the shape, 1 keeps the input's size."""
    x, y = call.tensor(), call.outputs[0]
    lead = y.ndim - x.ndim

    def target(shape: tuple[int, ...], sizes: tuple[int, ...]) -> list[int]:
        return [1 if i >= lead and shape[i - lead] == n else n for i, n in enumerate(sizes)]

    return call.add("Expand", x.name, call.graph.shape(target(x.shape, y.shape), target(x.other, y.other)))


@translates(shape.cat_all)
def cat(call: Call) -> Any:
    tensors = [n for n in range(len(call.args)) if call.tensor(n).shape != (0,)]
    axis = checked_axis("cat", call.options["dim"], call.outputs[0].ndim)
    return call.add("Concat", *[call.name(n, call.dtype) for n in tensors], axis=axis)


@translates(shape.unsqueeze)
def unsqueeze(call: Call) -> Any:
    axis = checked_axis("unsqueeze", call.options["dim"], call.outputs[0].ndim)
    return call.add("Unsqueeze", call.name(), call.integers(axis))


@translates(shape.squeeze)
def squeeze(call: Call) -> Any:
    x, dim = call.tensor(), call.options["dim"]
    dims = range(x.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    axes = sorted({checked_axis("squeeze", d, x.ndim) for d in dims})
    ones = [axis for axis in axes if x.ndim and x.shape[axis] == x.other[axis] == 1]
    return call.add("Squeeze", x.name, call.integers(*ones)) if ones else x.name


LAST, BEFORE_FIRST = 2**63 - 1, -(2**63)  # ONNX clamps both to the size of the axis


@translates(shape.flip)
def flip(call: Call) -> Any:
    dims = call.options["dims"]
    axes = [checked_axis("flip", d, call.tensor().ndim) for d in (dims if isinstance(dims, (tuple, list)) else (dims,))]
    count = len(axes)
    parts = [LAST] * count, [BEFORE_FIRST] * count, axes, [-1] * count
    return call.add("Slice", call.name(), *[call.integers(*part) for part in parts])


@translates(shape.repeat)
def repeat(call: Call) -> Any:
    x, sizes = call.tensor(), call.options["sizes"]
    lead = len(sizes) - x.ndim
    name = call.add("Unsqueeze", x.name, call.integers(*range(lead))) if lead else x.name
    return call.add("Tile", name, call.integers(*sizes))


@translates(shape.repeat_interleave)
def repeat_interleave(call: Call) -> Any:
    x, dim = call.tensor(), call.options["dim"]
    name = x.name if dim is not None else call.add("Reshape", x.name, call.integers(-1))
    axis = 0 if dim is None else checked_axis("repeat_interleave", dim, x.ndim)
    size, other = (math.prod(s) if dim is None else s[axis] for s in (x.shape, x.other))
    if size != other:
        call.refuse("along the batch")
    repeats = call.options["repeats"]
    counts = np.broadcast_to(np.asarray(getattr(repeats, "array", repeats), np.int64), (size,))
    return call.add("Gather", name, call.integers(*np.repeat(np.arange(size), counts)), axis=axis)


@translates(shape.tril, shape.triu)
def triangle(call: Call) -> Any:
    diagonal = call.graph.constant(call.options["diagonal"], np.int64)
    return call.add("Trilu", call.name(), diagonal, upper=int(call.op is shape.triu))


@translates(shape.clone)
def clone(call: Call) -> Any:
    return call.name()


@translates(shape.cast)
def cast(call: Call) -> Any:
    return call.name(0, call.dtype)
