"""Checks and parameters for the constructors of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.device import check_device
from cygrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["checked_dtype", "checked_size", "empty_parameter"]


def checked_size(layer: str, name: str, value: Any, least: int = 0) -> int:
    """Return `value` as an int, or raise ValueError unless it is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{layer}: {name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def checked_dtype(layer: str, device: str | None, dtype: DTypeLike | None) -> np.dtype[Any]:
    """Return the dtype of a layer's parameters, by default float32."""
    check_device(layer, device)
    result = np.dtype(np.float32 if dtype is None else dtype)
    if result not in (np.float32, np.float64):
        raise TypeError(f"{layer}: dtype must be float32 or float64, got {result}")
    return result


def empty_parameter(layer: str, shape: tuple[int, ...], device: str | None, dtype: DTypeLike | None) -> Parameter:
    """Create a parameter with uninitialized values."""
    return Parameter(kernels.pooled(np.empty, shape, checked_dtype(layer, device, dtype)))
