"""PyTorch's names of NumPy's dtypes, their limits, and constants."""

from __future__ import annotations

from typing import Any

import numpy as np

float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int8 = np.dtype(np.int8)
int16 = short = np.dtype(np.int16)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
bool = np.dtype(np.bool_)

inf, nan, pi, e = np.inf, np.nan, np.pi, np.e
newaxis = None


def finfo(type: Any = float32) -> np.finfo[Any]:
    """Return the limits of a float dtype: eps, max, min, tiny, bits. As ``torch.finfo``.

    Args:
        type: the dtype.
    """
    return np.finfo(np.dtype(type))


def iinfo(type: Any) -> np.iinfo[Any]:
    """Return the limits of an integer dtype: max, min, bits. As ``torch.iinfo``.

    Args:
        type: the dtype.
    """
    return np.iinfo(np.dtype(type))


__all__ = [
    "bool",
    "double",
    "e",
    "finfo",
    "float",
    "float32",
    "float64",
    "iinfo",
    "inf",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "nan",
    "newaxis",
    "pi",
    "short",
    "uint8",
]
