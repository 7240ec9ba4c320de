"""Arithmetic of two operands, broadcast."""

from __future__ import annotations

import numpy as np

__all__ = ["add", "div", "mul", "sub"]


def add(x, y):
    """x + y"""
    return np.add(x, y)


def sub(x, y):
    """x − y"""
    return np.subtract(x, y)


def mul(x, y):
    """x·y"""
    return np.multiply(x, y)


def div(x, y):
    """x/y"""
    with np.errstate(all="ignore"):
        return np.divide(x, y)
