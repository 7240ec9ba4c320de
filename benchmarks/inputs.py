"""The inputs of a case: the same arrays in every process, drawn with the case's name as the seed."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import AdamW, Case, ClipGradNorm, Inference, Kernel, Matmul, OpCall, TrainingStep

__all__ = ["DROPOUT", "Array", "Arrays", "falling", "inputs", "learning_rate", "network_names"]

DROPOUT = 0.3  # of the op; steps have their own
Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]


def inputs(case: Case) -> Arrays:
    """The arrays by name: float32, and int64 for class indices."""
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape, np.float32)

    match case:
        case Matmul(m, k, n, transposed):
            return {
                "a": normal(k, m).T if transposed[0] == "t" else normal(m, k),
                "b": normal(n, k).T if transposed[1] == "t" else normal(k, n),
            }
        case OpCall(_, rows, columns):
            shapes = {"x": (rows, columns), "dy": (rows, columns), "weight": (columns,), "bias": (columns,)}
            return {name: normal(*shape) for name, shape in shapes.items()}
        case ClipGradNorm(count, side):
            return {f"gradient{i}": normal(side, side) for i in range(count)}
        case AdamW(count, side):
            names = [f"{name}{i}" for name in ("parameter", "gradient") for i in range(count)]
            return {name: normal(side, side) for name in names}
        case Kernel(_, rows, columns):
            rng = np.random.default_rng(0)  # as cygrad.bench.cases.kernel_inputs
            return {"x": normal(rows, columns), "dy": normal(rows, columns)}
        case Inference(sizes, batch):
            return {"x": normal(batch, sizes[0]), **network(case, rng)}
        case TrainingStep(_, sizes, batch):
            shape = (batch, sizes[-1])
            y = rng.integers(0, sizes[-1], batch) if case.loss == "cross_entropy" else normal(*shape)
            return {"x": normal(batch, sizes[0]), "y": y, **network(case, rng)}


def network_names(case: TrainingStep | Inference) -> list[str]:
    """The names of a network's parameters, in the order of PyTorch's `parameters()`."""
    layers = len(case.sizes) - 1
    hidden = ("weight", "bias", "scale", "shift") if case.norm else ("weight", "bias")
    return [f"{kind}{i}" for i in range(layers) for kind in (hidden if i < layers - 1 else ("weight", "bias"))]


def network(case: TrainingStep | Inference, rng: np.random.Generator) -> Arrays:
    """A network's parameters; weights are drawn from N(0, 2/fan_in)."""

    def draw(name: str) -> Array:
        kind, i = name[:-1], int(name[-1])
        fan_in, fan_out = case.sizes[i : i + 2]
        if kind == "weight":
            return rng.standard_normal((fan_out, fan_in), np.float32) * np.float32((2 / fan_in) ** 0.5)
        if kind == "scale":
            return rng.uniform(0.5, 1.5, fan_out).astype(np.float32)
        return rng.standard_normal(fan_out, np.float32) / np.float32(10)

    return {name: draw(name) for name in network_names(case)}


def learning_rate(check: bool) -> float:
    """A useful rate for checks, and a tiny one for timing: see `Builder.build`."""
    return 1e-3 if check else 1e-7


def falling(norm: float) -> Callable[[], float]:
    """Bounds that fall a little below the norm that the previous clipping left, so that every call has to scale."""
    bounds = (norm * 0.9999**i for i in itertools.count(1))
    return lambda: next(bounds)
