"""Elementwise functions: PyTorch's under the standard's names, and with its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import cygrad.functions as F
from cygrad.functions.elementwise import signbit as _signbit
from cygrad.ops.definition import constant
from cygrad.tensor import Tensor

__all__ = [
    "bitwise_invert", "bitwise_left_shift", "bitwise_right_shift", "clip", "conj", "imag", "real", "round",
    "signbit",
]  # fmt: skip

UNARY = """
abs acos acosh asin asinh atan atanh ceil cos cosh exp expm1 floor isfinite isinf isnan log log1p log2 log10 logical_not
negative positive reciprocal sign sin sinh sqrt square tan tanh trunc
""".split()  # noqa: SIM905 - a table to read
BINARY = """
add atan2 bitwise_and bitwise_or bitwise_xor copysign divide floor_divide hypot logaddexp logical_and logical_or
logical_xor maximum minimum multiply nextafter pow remainder subtract equal greater greater_equal less less_equal
not_equal
""".split()  # noqa: SIM905
OURS = {"equal": "eq"}


def unary(name: str) -> Callable[..., Tensor]:
    """A function of one array."""
    of = getattr(F, OURS.get(name, name))

    def function(x: Any, /) -> Tensor:
        result: Tensor = of(x)
        return result

    function.__name__, function.__doc__ = name, f"As :func:`cygrad.{name}`."
    return function


def binary(name: str) -> Callable[..., Tensor]:
    """A function of two arrays, of which one may be a number of Python."""
    of = getattr(F, OURS.get(name, name))

    def function(x1: Any, x2: Any, /) -> Tensor:
        if not isinstance(x1, Tensor):
            x1 = constant(np.asarray(x1, x2.array.dtype if isinstance(x2, Tensor) else None))
        result: Tensor = of(x1, x2)
        return result

    function.__name__, function.__doc__ = name, f"As :func:`cygrad.{name}`."
    return function


globals().update({name: unary(name) for name in UNARY} | {name: binary(name) for name in BINARY})
__all__ += [*UNARY, *BINARY]


def bitwise_invert(x: Any, /) -> Tensor:
    """Invert all bits."""
    return F.bitwise_not(x)


def bitwise_left_shift(x1: Any, x2: Any, /) -> Tensor:
    """Return x1·2^x2, 0 where all bits leave."""
    return shifted(np.left_shift, x1, x2)


def bitwise_right_shift(x1: Any, x2: Any, /) -> Tensor:
    """Return ⌊x1/2^x2⌋."""
    return shifted(np.right_shift, x1, x2)


def shifted(shift: Any, x1: Any, x2: Any) -> Tensor:
    return constant(shift(*[x.array if isinstance(x, Tensor) else x for x in (x1, x2)]))


def clip(x: Any, /, min: Any = None, max: Any = None) -> Tensor:
    """Limit elements to [min, max], in the dtype of x."""
    result = x
    if min is not None:
        result = F.maximum(result, as_like(min, x))
    if max is not None:
        result = F.minimum(result, as_like(max, x))
    return result if result is not x else x.clone()


def as_like(value: Any, x: Tensor) -> Tensor:
    """A bound in the dtype of x."""
    if isinstance(value, Tensor):
        return value.to(x.dtype)
    if x.array.dtype.kind in "iu":
        limits = np.iinfo(x.array.dtype)
        value = limits.min if value < limits.min else limits.max if value > limits.max else value
    return constant(np.asarray(value, x.array.dtype))


def round(x: Any, /) -> Tensor:
    """Round to the nearest integer, halves to the even one."""
    return F.round(x)


def signbit(x: Any, /) -> Tensor:
    """Return whether the sign bit is set."""
    return _signbit(x)


def real(x: Any, /) -> Tensor:
    """Return the array itself: it is real."""
    return x


def conj(x: Any, /) -> Tensor:
    """Return the array itself: it is real."""
    return x


def imag(x: Any, /) -> Tensor:
    """Return zeros: the array is real."""
    return constant(np.zeros_like(x.array))
