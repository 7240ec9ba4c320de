"""What the constructors of layers share."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad.device import check_device
from cygrad.nn.parameter import Parameter

__all__ = ["checked_size", "empty_parameter"]


def checked_size(layer: str, name: str, value: Any, least: int = 0) -> int:
    """`value` as an int that is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{layer}: {name} must be an integer of at least {least}, got {value!r}")
    return int(value)


def checked_dtype(layer: str, device: Any, dtype: Any) -> np.dtype[Any]:
    """The dtype of a layer's parameters: float32 unless told otherwise."""
    check_device(layer, device)
    result = np.dtype(np.float32 if dtype is None else dtype)
    if result not in (np.float32, np.float64):
        raise TypeError(f"{layer}: dtype must be float32 or float64, got {result}")
    return result


def empty_parameter(layer: str, shape: tuple[int, ...], device: Any, dtype: Any) -> Parameter:
    """A parameter whose values are still to be set."""
    return Parameter(kernels.pooled(np.empty, shape, checked_dtype(layer, device, dtype)))
