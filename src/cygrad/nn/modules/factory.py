"""Checks and parameters for the constructors of layers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.config import default_float
from cygrad.device import check_device
from cygrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["allowance", "bound_of", "checked_dtype", "checked_size", "empty_parameter", "spend"]

allowed: ContextVar[list[int] | None] = ContextVar("allowed", default=None)  # elements that layers may still create


@contextlib.contextmanager
def allowance(elements: int) -> Iterator[None]:
    """Limit the elements of all parameters and buffers that the constructors of layers create in a block.

    A description from a file can ask for any size. With the number of elements in its weights as the limit, no more
    memory is allocated than they need.

    Args:
        elements: the limit. A constructor that exceeds it raises ValueError before it allocates memory.

    Example:
        >>> from cygrad.nn.modules.factory import allowance
        >>> with allowance(8):
        ...     cg.nn.Linear(3, 2)
        Linear(in_features=3, out_features=2, bias=True)
    """
    token = allowed.set([elements])
    try:
        yield
    finally:
        allowed.reset(token)


def spend(layer: str, shape: tuple[int, ...]) -> None:
    """Count the elements of an array that a layer is about to create. Raises ValueError beyond the allowance."""
    left = allowed.get()
    if left is None:
        return
    left[0] -= math.prod(shape)
    if left[0] < 0:
        raise ValueError(f"{layer}: an array of shape {shape} has more elements than the weights have left")


def checked_size(layer: str, name: str, value: Any, least: int = 0) -> int:
    """Return `value` as an int, or raise ValueError unless it is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{layer}: {name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def bound_of(fan_in: int) -> float:
    """1/√fan_in, the bound of PyTorch's uniform initialization of biases; 0 without inputs."""
    return 1 / math.sqrt(fan_in) if fan_in else 0.0


def checked_dtype(layer: str, device: object, dtype: DTypeLike | None) -> np.dtype[Any]:
    """Return the dtype of a layer's parameters, by default the default dtype."""
    check_device(layer, device)
    result = default_float() if dtype is None else np.dtype(dtype)
    if result not in (np.float32, np.float64):
        raise TypeError(f"{layer}: dtype must be float32 or float64, got {result}")
    return result


def empty_parameter(layer: str, shape: tuple[int, ...], device: object, dtype: DTypeLike | None) -> Parameter:
    """Create a parameter with uninitialized values."""
    spend(layer, shape)
    return Parameter(kernels.pooled(np.empty, shape, checked_dtype(layer, device, dtype)))
