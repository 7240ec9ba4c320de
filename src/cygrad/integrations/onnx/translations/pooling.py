"""Pooling. ONNX's operators have windows at fixed distances. A mean over other windows is a product with the matrix of
their weights; the last window of ceil_mode, whose padding is counted in several ways there, is among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.registry import translates
from cygrad.ops import pooling

Windows = pooling.Windows


def attributes(windows: Windows, sizes: tuple[int, ...]) -> dict[str, Any]:
    """The attributes of MaxPool. The padding behind is what the last windows need."""
    _, kernels, strides, paddings, dilations = zip(*windows)
    ends = [
        max(0, (out - 1) * stride - padding + (kernel - 1) * dilation + 1 - n)
        for (out, kernel, stride, padding, dilation), n in zip(windows, sizes)
    ]
    return {
        "kernel_shape": list(kernels),
        "strides": list(strides),
        "pads": [*paddings, *ends],
        "dilations": list(dilations),
    }


class Planes:
    """The input of a pooling as images with a batch, (N, C, H, W): onnx's own evaluator pools only these rightly."""

    def __init__(self, call: Call) -> None:
        self.call, self.x, windows = call, call.tensor(), call.options["windows"]
        axes = len(windows)
        self.sizes = self.x.shape[-axes:]
        if not all(self.x.shape):
            call.refuse("for an empty input")
        if self.sizes != self.x.other[-axes:]:
            call.refuse("for planes of any size")
        if axes == 1:  # a stride of 2, since the evaluator pads planes wrongly where all strides are 1
            windows, self.sizes = ((1, 1, 2, 0, 1), *windows), (1, *self.sizes)
        self.windows: Windows = windows
        self.added = [0] * (self.x.ndim == axes + 1) + [2] * (axes == 1)
        self.name = str(call.add("Unsqueeze", self.x.name, call.integers(*self.added))) if self.added else self.x.name

    def back(self, name: str) -> str:
        """A result without the axes that were added."""
        return str(self.call.add("Squeeze", name, self.call.integers(*self.added))) if self.added else name


def largest(call: Call, planes: Planes, count: int) -> Any:
    if any([not kernel for _, kernel, *_ in planes.windows]):
        call.refuse("for adaptive sizes that do not divide those of the input")
    return call.add("MaxPool", planes.name, count=count, **attributes(planes.windows, planes.sizes))


@translates(pooling.max_pool)
def max_pool(call: Call) -> Any:
    planes = Planes(call)
    return planes.back(largest(call, planes, 1))


@translates(pooling.max_pool_indexed)
def max_pool_indexed(call: Call) -> Any:
    """ONNX counts positions from the first plane on."""
    planes = Planes(call)
    y, index = largest(call, planes, 2)
    if all([stride == dilation == 1 for _, _, stride, _, dilation in planes.windows]):
        call.refuse("with indices of windows at all positions, which onnx's evaluator gets wrong")
    positions = call.add("Mod", index, call.scalar(int(np.prod(planes.sizes)), np.int64))
    return [planes.back(name) for name in (y, positions)]


def weights(window: tuple[int, int, int, int, int], n: int, padded: bool, total: bool) -> Array:
    """The matrix of an axis: row i has 1 over the number of elements of window i, or 1 for a total, in its columns."""
    out, kernel, stride, padding, _ = window
    matrix = np.zeros((out, n))
    for i in range(out):
        begin = i * stride - padding if kernel else i * n // out
        end = min(begin + kernel, n + padding) if kernel else -(-(i + 1) * n // out)
        inside = slice(max(begin, 0), min(end, n))
        count = end - begin if padded else max(inside.stop - inside.start, 1)
        matrix[i, inside] = 1 if total else 1 / count
    return matrix


@translates(pooling.avg_pool)
def avg_pool(call: Call) -> Any:
    """y = R·x·Cᵀ for the matrices of rows and columns, AveragePool where all windows lie in the input."""
    planes, padded, divisor = Planes(call), call.options["padded"], call.options["divisor"]
    plain = all([kernel and not padding for _, kernel, _, padding, _ in planes.windows]) and not divisor
    given = attributes(planes.windows, planes.sizes)
    if plain and not any(given["pads"]):
        shape, strides = given["kernel_shape"], given["strides"]
        return planes.back(call.add("AveragePool", planes.name, kernel_shape=shape, strides=strides))
    rows, cols = [weights(w, n, padded, divisor != 0) for w, n in zip(planes.windows, planes.sizes)]
    dtype = planes.x.dtype
    y = call.add("MatMul", planes.name, call.graph.constant(np.ascontiguousarray(cols.T, dtype)))
    return planes.back(call.add("MatMul", call.graph.constant((rows / (divisor or 1)).astype(dtype)), y))
