"""Comparing whole tensors. Positional and keyword arguments are those of PyTorch."""

from __future__ import annotations

import numpy as np

from cygrad._typing import Tensor
from cygrad.autograd import engine, recording
from cygrad.autograd.calls import requires_tensor

__all__ = ["allclose", "equal", "isclose", "numel"]


@requires_tensor
def numel(input: Tensor) -> int:
    """Return the number of elements.

    Args:
        input: a tensor.
    """
    return int(input.array.size)


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
