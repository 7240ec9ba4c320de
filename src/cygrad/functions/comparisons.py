"""Comparing whole tensors, and their dtypes. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import dtypes
from cygrad._typing import Tensor
from cygrad.autograd import engine, recording
from cygrad.autograd.calls import requires_tensor
from cygrad.config import follows_torch
from cygrad.ops import broadcast

__all__ = ["allclose", "equal", "isclose", "numel", "result_type"]


@requires_tensor
def numel(input: Tensor) -> int:
    """Return the number of elements.

    Args:
        input: a tensor.
    """
    return int(input.array.size)


def result_type(tensor1: Any, tensor2: Any) -> Any:
    """Return the dtype of an operation on two operands. As ``torch.result_type``.

    Args:
        tensor1, tensor2: tensors or numbers. A tensor without dimensions, and then a number, counts only where its
            category (boolean, integer, float) is higher.

    >>> cg.result_type(cg.tensor([1, 2], dtype=cg.int8), 3)
    dtype('int8')
    """
    found = broadcast.result_type(*[getattr(x, "array", x) for x in (tensor1, tensor2)])
    return dtypes.dtype(found) if follows_torch() else found


@requires_tensor
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Test |input − other| ≤ atol + rtol·|other|, elementwise.

    Args:
        input: a tensor.
        other: a tensor, broadcast with input.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        equal_nan: whether two NaNs are close.
    """
    if not (rtol >= 0 and atol >= 0):
        raise RuntimeError(f"isclose: rtol and atol must not be negative, got {rtol} and {atol}")
    return engine.wrap(recording.produced(np.isclose, input.array, other.array, rtol, atol, equal_nan))


@requires_tensor
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Return whether :func:`isclose` holds for all elements.

    Args:
        input: a tensor.
        other: a tensor, broadcast with input.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        equal_nan: whether two NaNs are close.
    """
    recording.reading("allclose")
    return bool(np.allclose(input.array, other.array, rtol, atol, equal_nan))


@requires_tensor
def equal(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same shape and elements.

    Args:
        input: a tensor.
        other: a tensor.
    """
    recording.reading("equal")
    return np.array_equal(input.array, other.array)
