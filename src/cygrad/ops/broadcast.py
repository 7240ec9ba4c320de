"""Broadcasting and type promotion of operands, and the way back for their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.config import default_float

__all__ = ["as_array", "as_float", "is_real", "promoted", "refuse_booleans", "result_type", "spec", "unbroadcast"]

Spec = tuple[tuple[int, ...], Any]

CATEGORIES = {"b": 0, "i": 1, "u": 1, "f": 2}


def category(kind: str) -> int:
    """0 for booleans, 1 for integers, 2 for floats."""
    if kind not in CATEGORIES:
        raise TypeError(f"tensors hold booleans, integers or floats, got the kind {kind!r}")
    return CATEGORIES[kind]


def result_type(*operands: Any) -> np.dtype[Any]:
    """The dtype of an operation on several operands, by PyTorch's rule: arrays with dimensions decide; an array
    without dimensions, and then a number, counts only where its category (boolean, integer, float) is higher. NumPy's
    numbers count as Python's: a float among integers gives the default dtype.

    See "Type promotion" in PyTorch's documentation of tensor attributes.
    """
    groups: list[np.dtype[Any] | None] = [None, None]  # of arrays with dimensions, and without
    number = -1
    for x in operands:
        if isinstance(x, np.ndarray):
            rank = 0 if x.ndim else 1
            before = groups[rank]
            groups[rank] = x.dtype if before is None else joined(before, x.dtype)
        elif isinstance(x, np.generic):
            number = max(number, category(x.dtype.kind))
        else:
            number = max(number, 0 if isinstance(x, bool) else 1 if isinstance(x, int) else 2)
    result: np.dtype[Any] | None = None
    for dtype in groups:
        if dtype is not None and (result is None or category(dtype.kind) > category(result.kind)):
            result = dtype
    if result is None or number > category(result.kind):
        return default_float() if number == 2 else np.dtype(np.int64 if number else np.bool_)
    return result


def joined(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of two arrays of the same rank group: an integer never widens a float."""
    first, second = category(a.kind), category(b.kind)
    return np.promote_types(a, b) if first == second else a if first > second else b


def as_array(x: Any, dtype: Any = None) -> Array:
    """A number or an array as an array of `dtype`."""
    if isinstance(x, np.ndarray) and (dtype is None or x.dtype == dtype):
        return x
    with np.errstate(over="ignore"):
        return np.asarray(x, dtype)


def as_float(x: Array) -> Array:
    """x itself if it holds floats, else x in the default dtype."""
    return x if x.dtype.kind == "f" else x.astype(default_float())


def refuse_booleans(op: str, x: Array) -> None:
    """Raise NotImplementedError where the common dtype of the operands is bool."""
    if x.dtype.kind == "b":
        raise NotImplementedError(f"{op}: not defined for booleans; convert one operand to numbers")


def is_real(x: Array) -> bool:
    """Whether the kernels take x: float32 or float64."""
    return x.dtype.char in "fd"


def leave_half(op: str, x: Array) -> None:
    """Raise TypeError for float16, upon which the engine computes the op in float32."""
    if x.dtype.char == "e":
        raise TypeError(f"{op}: input must be float32 or float64, got float16")


def promoted(x: Any, y: Any) -> tuple[Array, Array]:
    """Two operands as arrays of their common dtype."""
    if isinstance(x, np.ndarray):
        if isinstance(y, np.ndarray):
            if x.dtype == y.dtype:
                return x, y
        elif type(y) in (float, int) and is_real(x):
            return x, kernels.number(y, x.dtype)
    elif type(x) in (float, int) and isinstance(y, np.ndarray) and is_real(y):
        return kernels.number(x, y.dtype), y
    dtype = result_type(x, y)
    return as_array(x, dtype), as_array(y, dtype)


def option(op: str, name: str, value: Any) -> Any:
    """A number that is given as one, or as an array or tensor of one element; raise TypeError for anything else."""
    array = getattr(value, "array", value)
    if isinstance(array, np.generic) or (isinstance(array, np.ndarray) and array.size == 1):
        array = array.item()
    if not isinstance(array, (int, float)):
        raise TypeError(f"{op}: {name} must be a number, got {type(value).__name__}")
    return array


def spec(x: Any) -> Spec | None:
    """The shape and dtype that a gradient of x must have; None for a number."""
    return (x.shape, x.dtype) if isinstance(x, np.ndarray) else None


def unbroadcast(gradient: Array, target: Spec) -> Array:
    """The gradient of an operand that was broadcast: summed over the repeated axes, in its dtype."""
    shape, dtype = target
    if gradient.shape != shape:
        gradient = summed_to(gradient, shape)
    return gradient if gradient.dtype == dtype else gradient.astype(dtype)


def summed_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x summed over the axes that `shape` lacks, or has with size 1."""
    lead = x.ndim - len(shape)
    if lead < 0:  # a write drops leading sizes of 1
        return summed_to(x, shape[-lead:]).reshape(shape)
    axes = [*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1)]
    if axes and axes[-1] - axes[0] == len(axes) - 1 and is_real(x):
        x = kernels.sum_axes(x, axes[0], axes[-1] + 1)
    elif axes:
        x = np.add.reduce(x, tuple(axes))
    return x.reshape(shape)
