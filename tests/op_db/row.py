"""The columns of the op database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cygrad import Tensor

# Sizes around what the kernels cut by: registers of 4 to 16 lanes, blocks of 4,096.
EDGE_SIZES = [0, 1, 3, 4, 5, 15, 16, 17, 31, 33, 63, 65, 4095, 4096, 4097]


class Sample:
    """One call. Arrays among the arguments become tensors, those of floats requiring a gradient; everything else
    passes as it is."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        show = [f"{x.dtype}{list(x.shape)}" if isinstance(x, np.ndarray) else repr(x) for x in self.args]
        show += [
            f"{k}={v.dtype}{list(v.shape)}" if isinstance(v, np.ndarray) else f"{k}={v!r}"
            for k, v in self.kwargs.items()
        ]
        return f"Sample({', '.join(show)})"


def on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays as one of tensors: what is of floats comes back as a tensor without a gradient."""

    def call(*args: Any) -> Any:
        result = function(*(a.array if isinstance(a, Tensor) else a for a in args))
        return tuple(map(Tensor, result)) if isinstance(result, tuple) else Tensor(result)

    return call


@dataclass
class Bad:
    """A call that raises `error` with a message that matches `match`."""

    call: Callable[[Any], Any]  # receives the module cygrad
    error: type[Exception]
    match: str


@dataclass
class Row:
    """One op. `samples(rng, dtype)` yields Samples whose float arrays have that dtype."""

    name: str
    op: Callable[..., Any]
    samples: Callable[[np.random.Generator, Any], Iterator[Sample]]
    torch: Callable[[Any], Callable[..., Any]] | None = None  # torch module -> the same function there
    reference: Callable[..., Any] | None = None  # the same on ndarrays
    kernels: tuple[str, ...] = ()  # the kernels of csrc/kernels.def that it runs
    bad: tuple[Bad, ...] = ()
    dtypes: tuple[Any, ...] = (np.float32, np.float64)
    differentiable: bool = True
    bare: bool = False  # it calls kernels itself, without an op of cygrad.ops
    in_place: bool = False  # the op copies its arrays and gives the copies to kernels that write into them
    rtol: dict[Any, float] = field(default_factory=lambda: {np.float32: 2e-5, np.float64: 1e-11})
    atol: dict[Any, float] = field(default_factory=lambda: {np.float32: 1e-6, np.float64: 1e-12})
