"""The error function's relatives, and their inverses."""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial.chebyshev import chebval

from cygrad._typing import Array

__all__ = ["erfc", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri"]

# Chebyshev coefficients of (1 + 2x)·erfcx(x) in t = (x − 3.75)/(x + 3.75), 0 ≤ x < ∞, computed with 40 digits.
# M. Shepherd, J. Laframboise (1981), "Chebyshev approximation of (1 + 2x)exp(x²)erfc x in 0 ≤ x < ∞".
ERFCX = [
    1.1775789345674017, -0.004590054580646478, -0.08424913336651792, 0.05920993999819189, -0.026658668435305753,
    0.009074997670705265, -0.002413163540417608, 0.0004907758365258086, -6.916973302501207e-05,
    4.13902798607301e-06, 7.74038306619849e-07, -2.1886401049234397e-07, 1.076499946567091e-08,
    4.521959811218287e-09, -7.754400208831351e-10, -6.318088340886684e-11, 2.86879501093067e-11,
    1.9455868545777347e-13, -9.65469674843344e-13, 3.25254814814874e-14, 3.3478119482868056e-14,
    -1.864562880419313e-15, -1.2507950530688648e-15, 7.418235256624044e-17, 5.068148904796111e-17,
    -2.2370566594359995e-18, -2.187342944303018e-18,
]  # fmt: skip
SERIES = [(-1) ** n / (math.factorial(n) * (2 * n + 1)) * 2 / math.sqrt(math.pi) for n in range(13)]


def exp_of_square(x: Array, sign: int) -> Array:
    """e^(±x²), where x² is not rounded: x² = h² + (x − h)·(x + h), with half of the digits in h."""
    h = x.astype(np.float32).astype(x.dtype)
    result: Array = np.exp(sign * h * h) * np.exp(sign * (x - h) * (x + h))
    return np.where(np.isfinite(h), result, np.exp(sign * x * x))


def erfcx_of_positive(x: Array) -> Array:
    t = np.where(x < 1e18, (x - 3.75) / (x + 3.75), 1.0)
    result: Array = chebval(t, ERFCX) / (1 + 2 * np.abs(x))
    return np.where(np.isnan(x), x, result)


def erfcx(x: Array) -> Array:
    """e^(x²)·erfc(x); erfcx(−x) = 2e^(x²) − erfcx(x)."""
    y = erfcx_of_positive(np.abs(x))
    return np.where(x < 0, 2 * exp_of_square(x, 1) - y, y)


def erf_near_0(x: Array) -> Array:
    """erf for |x| ≤ ½. DLMF 7.6.1"""
    result: Array = x * np.polynomial.polynomial.polyval(x * x, SERIES)
    return result


def erfc(x: Array) -> Array:
    """1 − erf(x)"""
    small = np.abs(x) < 0.5
    tail = exp_of_square(np.abs(x), -1) * erfcx_of_positive(np.abs(x))
    return np.where(small, 1 - erf_near_0(np.where(small, x, 0)), np.where(x < 0, 2 - tail, tail))


def ndtr(x: Array) -> Array:
    """The normal distribution's Φ(x) = ½·erfc(−x/√2)."""
    return 0.5 * erfc(x * -math.sqrt(0.5))


def log_ndtr(x: Array) -> Array:
    """log Φ(x)"""
    left = np.log(erfcx(np.maximum(-x, 0) * math.sqrt(0.5)) / 2) - x * x / 2
    return np.where(x < -1, left, np.log1p(-0.5 * erfc(np.maximum(x, -2) * math.sqrt(0.5))))


def erfc_inverse(q: Array) -> Array:
    """x ≥ 0 with erfc(x) = q, for 0 < q ≤ 1: Halley's steps on log erfc(x) = log q.

    S. Winitzki (2008), "A handy approximation for the error function and its inverse", is the start.
    """
    log = np.log(q * (2 - q))
    half = 2 / (math.pi * 0.147) + log / 2
    x = np.sqrt(np.maximum(np.sqrt(half * half - log / 0.147) - half, 0))
    target = np.log(q)
    for _ in range(3):
        scaled = erfcx_of_positive(x)
        slope = -2 / (math.sqrt(math.pi) * scaled)  # of log erfc(x)
        step = (np.log(scaled) - x * x - target) / slope
        bend = -2 * x - slope  # the second derivative over the first
        x = x - step / (1 - step * bend / 2)
    return np.where(q == 0, np.inf, x)


def erf_inverse_near_0(y: Array) -> Array:
    """x with erf(x) = y, for |y| ≤ ½: Halley's steps; erf″/erf′ = −2x."""
    x = y * (math.sqrt(math.pi) / 2)
    x = x * (1 + x * x / 3)
    for _ in range(3):
        step = (erf_near_0(x) - y) * np.exp(x * x) * (math.sqrt(math.pi) / 2)
        x = x - step / (1 + x * step)
    return x


def erfinv(y: Array) -> Array:
    """x with erf(x) = y, for |y| ≤ 1."""
    near, far = np.abs(y) <= 0.5, np.abs(y) <= 1
    tail = erfc_inverse(1 - np.where(near | ~far, 0.5, np.abs(y)))
    return np.where(near, erf_inverse_near_0(np.where(near, y, 0)), np.where(far, np.copysign(tail, y), np.nan))


def ndtri(p: Array) -> Array:
    """x with Φ(x) = p, for 0 ≤ p ≤ 1."""
    middle, inside = np.abs(p - 0.5) <= 0.25, (p >= 0) & (p <= 1)
    tail = erfc_inverse(2 * np.where(middle | ~inside, 0.25, np.minimum(p, 1 - p)))
    center = erf_inverse_near_0(np.where(middle, 2 * p - 1, 0))
    result: Array = math.sqrt(2) * np.where(middle, center, np.where(p < 0.5, -tail, tail))
    return np.where(inside, result, np.nan)
