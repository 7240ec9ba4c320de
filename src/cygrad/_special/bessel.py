"""The modified Bessel functions I₀ and I₁."""

from __future__ import annotations

import math

import numpy as np

from cygrad._typing import Array

__all__ = ["i0", "i0e", "i1", "i1e"]


def scaled(order: int, x: Array) -> Array:
    """e^(−|x|)·I(x): the series DLMF 10.25.2 up to 30, whose terms are positive, and the expansion 10.40.1 above."""
    a = np.abs(x)
    small = np.minimum(a, 30.0)
    low = np.ones_like(a)
    for k in range(72, 0, -1):
        low = 1 + low * (small * small / 4) / (k * (k + order))
    low = low * np.exp(-small)
    large = np.maximum(a, 30.0)
    high = np.ones_like(a)
    for k in range(20, 0, -1):
        high = 1 - high * (4 * order * order - (2 * k - 1) ** 2) / (8 * k * large)
    high = high / np.sqrt(2 * math.pi * large)
    y = np.where(a <= 30, low * (small / 2 if order else 1), high)
    return np.where(np.isnan(x), x, np.copysign(y, x) if order else y)


def i0e(x: Array) -> Array:
    """e^(−|x|)·I₀(x)"""
    return scaled(0, x)


def i1e(x: Array) -> Array:
    """e^(−|x|)·I₁(x)"""
    return scaled(1, x)


def grown(y: Array, x: Array) -> Array:
    """y·e^|x| without overflow in between"""
    half = np.exp(np.abs(x) / 2)
    return np.where(np.isinf(x), np.copysign(np.inf, y), y * half * half)


def i0(x: Array) -> Array:
    """I₀(x)"""
    return grown(scaled(0, x), x)


def i1(x: Array) -> Array:
    """I₁(x)"""
    return grown(scaled(1, x), x)
