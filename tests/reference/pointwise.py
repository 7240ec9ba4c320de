"""Elementwise functions of one array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["cos", "erf", "exp", "log", "sin"]


def exp(x: Any) -> Any:
    """y = eˣ"""
    return np.asarray(np.exp(np.asarray(x, np.float64)), x.dtype)


def log(x: Any) -> Any:
    """y = log x"""
    return np.asarray(np.log(np.asarray(x, np.float64)), x.dtype)


def erf(x: Any) -> Any:
    """y = erf x"""
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x), x.dtype)


def sin(x: Any) -> Any:
    """y = sin x"""
    return np.asarray(np.sin(np.asarray(x, np.float64)), x.dtype)


def cos(x: Any) -> Any:
    """y = cos x"""
    return np.asarray(np.cos(np.asarray(x, np.float64)), x.dtype)
