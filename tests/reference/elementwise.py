"""Arithmetic of two operands, broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["add", "div", "mul", "sub"]


def add(x: Any, y: Any) -> Any:
    """x + y"""
    return np.add(x, y)


def sub(x: Any, y: Any) -> Any:
    """x − y"""
    return np.subtract(x, y)


def mul(x: Any, y: Any) -> Any:
    """x·y"""
    return np.multiply(x, y)


def div(x: Any, y: Any) -> Any:
    """x/y"""
    with np.errstate(all="ignore"):
        return np.divide(x, y)
