"""The gamma function's relatives."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad._typing import Array

__all__ = ["digamma", "gamma_ratio", "gammainc", "gammaincc", "lgamma", "polygamma", "zeta"]

# B₂, B₄, … of the asymptotic series
BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330]
EULER = 0.57721566490153286
HALF_LOG_2PI = 0.91893853320467274


def horner(x: Array, coefficients: list[float]) -> Array:
    """Σ cₖ·xᵏ"""
    result = np.zeros_like(x)
    for c in reversed(coefficients):
        result = result * x + c
    return result


@functools.cache
def taylor() -> list[float]:
    """The coefficients of log Γ(2 + z) in zᵏ, |z| ≤ ½: 1 − γ, and (−1)ᵏ·(ζ(k) − 1)/k from k = 2 on. DLMF 5.7.3"""
    orders = np.arange(2.0, 30.0)
    return [0, 1 - EULER, *((-1) ** orders * zeta(orders, np.full_like(orders, 2.0)) / orders).tolist()]


def stirling(x: Array) -> Array:
    """log Γ(x) − (x − ½)·log x + x − ½·log 2π for x ≥ 10. DLMF 5.11.1"""
    inverse = 1 / x
    series = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1)]
    return horner(inverse * inverse, series) * inverse


def lgamma_of_positive(x: Array) -> Array:
    large = x >= 10
    y = np.where(large, x, 10.0)
    top = (y - 0.5) * (np.log(y) - 1) + (HALF_LOG_2PI - 0.5 + stirling(y))
    # below, log Γ(x) = log Γ(2 + z) + the logarithm of a product of numbers ≥ 1½, with |z| ≤ ½
    y = np.where(large, 2.0, x)
    steps = np.clip(np.rint(y) - 2, 0, None)
    z = y - 2 - steps
    product = np.ones_like(y)
    for k in range(1, 9):
        product = np.where(steps >= k, product * (y - k), product)
    up = np.where(y < 0.5, z + 2, np.where(y < 1.5, z + 1, z))  # 2 + z is x, x + 1 or x + 2
    low = horner(up, taylor()) + np.log(product)
    low = low - np.where(y < 1.5, np.log1p(up), 0) - np.where(y < 0.5, np.log(y), 0)
    return np.where(large, np.where(np.isinf(x), x, top), low)


def sin_pi(x: Array) -> Array:
    """sin πx, exact where x is an integer."""
    r = x - 2 * np.rint(x / 2)  # −1 to 1
    r = np.where(np.abs(r) > 0.5, np.copysign(1, r) - r, r)
    result: Array = np.sin(math.pi * r)
    return result


def lgamma(x: Array) -> Array:
    """log |Γ(x)|; below 0 by reflection, DLMF 5.5.3."""
    a = np.abs(x)
    positive = lgamma_of_positive(np.where(np.isnan(a) | (a == 0), 1.0, a))
    mirrored = math.log(math.pi) - np.log(np.abs(sin_pi(a)) * a) - positive
    result = np.where(x > 0, positive, np.where((a == np.floor(a)), np.inf, mirrored))
    return np.where(np.isnan(x), x, np.where(a < 1e-100, -np.log(a), result))


def digamma(x: Array) -> Array:
    """ψ(x) = d log Γ(x)/dx. DLMF 5.5.2, 5.5.4, 5.11.2"""
    y = np.where(x < 0, 1 - x, x)
    total = np.zeros_like(y)
    for _ in range(10):
        small = y < 10
        total = np.where(small, total - 1 / y, total)
        y = np.where(small, y + 1, y)
    inverse = 1 / (y * y)
    total = total + np.log(y) - 0.5 / y - inverse * horner(inverse, [b / (2 * k) for k, b in enumerate(BERNOULLI, 1)])
    r = x - np.rint(x)
    mirrored = total - math.pi / np.tan(math.pi * np.where(r == 0, np.nan, r))
    return np.where(x == 0, np.copysign(np.inf, -x), np.where(x < 0, mirrored, total))


def zeta(s: Array, q: Array) -> Array:
    """Hurwitz' ζ(s, q) = Σ (q + k)⁻ˢ, by Euler and Maclaurin's formula, DLMF 25.11.28."""
    s, q = np.broadcast_arrays(s, q)
    below = np.ceil(np.where(q < 0, -q, 0))
    p = np.where(q < 0, q + below, q)
    whole = s == np.floor(s)
    result = zeta_of_positive(s, np.where(p == 0, 1.0, p))
    if (below > 0).any():  # the terms below 0 are (−1)ˢ·(ζ(s, f) − ζ(s, 1 − q)), where −f is the last of them
        f = np.where(below > 0, -(q + (below - 1)), 0.5)
        f = np.where(f == 0, 0.5, f)
        lower = zeta_of_positive(s, f) - zeta_of_positive(s, np.where(below > 0, 1 - q, 1.0))
        result = np.where(below > 0, result + np.where(s % 2 == 0, lower, -lower), result)
    bad = (s < 1) | np.isnan(s) | np.isnan(q) | ((q < 0) & ~whole)
    result = np.where(bad, np.nan, result)
    return np.where((s == 1) | ((q <= 0) & (q == np.floor(q)) & ~(s < 1)), np.inf, result)


def zeta_of_positive(s: Array, q: Array) -> Array:
    n = 10
    total = np.zeros(s.shape)
    for k in range(n):
        total = total + (q + k) ** -s
    a = q + n
    power = a**-s
    total = total + power * a / (s - 1) + power / 2
    factor = power / a
    for k, b in enumerate(BERNOULLI, 1):
        factor = factor * (s if k == 1 else (s + 2 * k - 3) * (s + 2 * k - 2) / (a * a))
        total = total + factor * (b / math.factorial(2 * k))
    return total


def polygamma(n: int, x: Array) -> Array:
    """ψ⁽ⁿ⁾(x) = (−1)ⁿ⁺¹·n!·ζ(n + 1, x). DLMF 25.11.12"""
    if n == 0:
        return digamma(x)
    return (-1.0) ** (n + 1) * math.gamma(n + 1) * zeta(np.full_like(x, n + 1.0), x)


def log_density(a: Array, x: Array) -> Array:
    """log(xᵃ·e⁻ˣ/Γ(a + 1)) as −½·log 2πa − δ(a) − D(a, x), which is accurate where x and a are large and close.

    C. Loader (2000), "Fast and accurate computation of binomial probabilities".
    """
    large = a >= 10
    y = np.where(large, a, 10.0)
    v = (x - y) / (x + y)
    series = horner(v * v, [2 / (2 * k + 3) for k in range(13)])
    close = (x - y) * v - y * v**3 * series
    away = y * np.log(y / x) + x - y
    deviance = np.where(np.abs(v) < 0.1, close, away)
    top = -0.5 * np.log(2 * math.pi * y) - stirling(y) - deviance
    low = np.where(large, 1.0, a)
    return np.where(large, top, low * np.log(x) - x - lgamma_of_positive(low + 1))


def series(a: Array, x: Array) -> tuple[Array, Array]:
    """S = Σ xⁿ/((a + 1)…(a + n)), so that P(a, x) = S·xᵃ·e⁻ˣ/Γ(a + 1), DLMF 8.7.1; and dS/da."""
    term, total = np.ones_like(a), np.ones_like(a)
    logs, slope = np.zeros_like(a), np.zeros_like(a)
    for n in range(1, LIMIT):
        term = term * x / (a + n)
        logs = logs - 1 / (a + n)
        total = total + term
        slope = slope + term * logs
        if not (np.abs(term * logs) > EPS / 4 * np.abs(slope)).any() and not (term > EPS / 4 * total).any():
            break
    return total, slope


def fraction(a: Array, x: Array) -> tuple[Array, Array]:
    """C with Q(a, x) = C·xᵃ·e⁻ˣ/Γ(a), by the continued fraction, DLMF 8.9.2; and dC/da.

    W. Lentz's method (1976), with the derivative of each step.
    """
    b = x + 1 - a
    b = np.where(np.abs(b) < 1e-30, 1e-30, b)
    c, dc = np.full_like(a, 1e300), np.zeros_like(a)
    d, h = 1 / b, 1 / b
    dd = d * d  # db/da = −1
    dh = dd
    for n in range(1, LIMIT):
        an = n * (a - n)
        b = b + 2
        w = an * d + b
        w = np.where(np.abs(w) < 1e-30, 1e-30, w)
        dw = n * d + an * dd - 1
        dc = (n - an * dc / c) / c - 1
        c = b + an / c
        c = np.where(np.abs(c) < 1e-30, 1e-30, c)
        d, dd = 1 / w, -dw / (w * w)
        step = c * d
        dstep = dc * d + c * dd
        dh = dh * step + h * dstep
        h = h * step
        if not (np.abs(step - 1) > EPS).any() and not (np.abs(h * dstep) > 8 * EPS * np.abs(dh)).any():
            break
    return h, dh


EPS = 2.0**-51
LIMIT = 100_000


def on(mask: Array, function: Callable[..., Any], count: int, *arrays: Array) -> list[Array]:
    """The results of a function where the mask is true; 0 elsewhere."""
    results = [np.zeros(mask.shape) for _ in range(count)]
    if mask.any():
        for result, values in zip(results, function(*[x[mask] for x in arrays])):
            result[mask] = values
    return results


def incomplete(a: Array, x: Array) -> tuple[Array, Array]:
    """P(a, x) and Q(a, x), for a, x ≥ 0."""
    a, x = np.broadcast_arrays(a, x)
    usual = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    low = usual & (x <= np.maximum(a, 1.0) + 1)
    p = on(low, lambda a, x: [np.exp(log_density(a, x)) * series(a, x)[0]], 1, a, x)[0]
    q = on(usual & ~low, lambda a, x: [a * np.exp(log_density(a, x)) * fraction(a, x)[0]], 1, a, x)[0]
    p, q = np.where(low, p, 1 - q), np.where(low, 1 - p, q)
    wrong = (a < 0) | (x < 0) | np.isnan(a + x) | ((a == 0) & (x == 0)) | (np.isinf(a) & np.isinf(x))
    zero, one = ((x == 0) | np.isinf(a)), ((a == 0) | np.isinf(x))
    p = np.where(wrong, np.nan, np.where(zero, 0.0, np.where(one, 1.0, p)))
    q = np.where(wrong, np.nan, np.where(zero, 1.0, np.where(one, 0.0, q)))
    return p, q


def gammainc(a: Array, x: Array) -> Array:
    """P(a, x) = ∫₀ˣ tᵃ⁻¹·e⁻ᵗ dt/Γ(a)"""
    return incomplete(a, x)[0]


def gammaincc(a: Array, x: Array) -> Array:
    """Q(a, x) = 1 − P(a, x)"""
    return incomplete(a, x)[1]


def gamma_ratio(a: Array, x: Array) -> Array:
    """dx/da of a sample x of the gamma distribution with concentration a: −(∂P/∂a)/(∂P/∂x).

    M. Figurnov, S. Mohamed, A. Mnih (2018), "Implicit reparameterization gradients".
    """
    a, x = np.broadcast_arrays(a, x)
    usual = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    low = usual & (x <= np.maximum(a, 1.0) + 1)

    def below(a: Array, x: Array) -> list[Array]:
        total, slope = series(a, x)
        return [-x / a * (total * (np.log(x) - digamma(a + 1)) + slope)]

    def above(a: Array, x: Array) -> list[Array]:
        total, slope = fraction(a, x)
        return [x * (total * (np.log(x) - digamma(a)) + slope)]

    return on(low, below, 1, a, x)[0] + on(usual & ~low, above, 1, a, x)[0]
