"""Special functions, elementwise: NumPy computes them in float64 (``cygrad._special``), and the derivative of each
stands beside it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from cygrad._special import bessel, error, gamma
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, Op, op
from cygrad.ops import arithmetic, pointwise
from cygrad.ops.broadcast import as_float, promoted, spec, unbroadcast
from cygrad.ops.definition import constant, fitted
from cygrad.ops.pointwise import documentation

__all__ = ["digamma", "erfc", "erfinv", "i0", "igamma", "igammac", "lgamma"]

Slope = Callable[..., Any]
TENSORS = SimpleNamespace(  # what slopes call on tensors, with the ops of this module
    where=arithmetic.where, exp=pointwise.exp, log=pointwise.log, log1p=pointwise.log1p, sign=pointwise.sign
)


def wide(function: Callable[..., Array]) -> Callable[..., Array]:
    """A function of float64 as one of any floats."""

    @functools.wraps(function)
    def call(*arrays: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(*[a.astype(np.float64) for a in arrays]), arrays[0].dtype)

    return call


class Arrays:
    """What slopes call on arrays."""

    where, exp, log, log1p = np.where, np.exp, np.log, np.log1p
    sign = staticmethod(pointwise.sign_of)
    digamma, lgamma = staticmethod(wide(gamma.digamma)), staticmethod(wide(gamma.lgamma))
    erfcx = staticmethod(wide(error.erfcx))
    i0, i1 = staticmethod(wide(bessel.i0)), staticmethod(wide(bessel.i1))
    i0e, i1e = staticmethod(wide(bessel.i0e)), staticmethod(wide(bessel.i1e))

    @staticmethod
    def polygamma(x: Array, n: int) -> Array:
        return wide(functools.partial(gamma.polygamma, n))(x)

    @staticmethod
    def zeta(s: Any, q: Any) -> Any:
        return wide(gamma.zeta)(s, q)


def unary(name: str, doc: str, function: Callable[[Array], Array], slope: Slope) -> Op:
    """An op on one tensor of floats, from a function of float64 and its derivative slope(f, x, y)."""
    result = pointwise.unary(name, doc, wide(function), slope, Arrays, TENSORS, __name__)
    setattr(TENSORS, name, result)
    return result


def binary(
    name: str, doc: str, function: Callable[[Array, Array], Array], slopes: tuple[Slope | None, Slope | None]
) -> Op:
    """An op on two tensors of floats, from a function of float64 and its derivatives slope(f, x, other, y)."""

    def forward(ctx: Node, input: Any, other: Any) -> Array:
        x, z = promoted(input, other)
        if x.dtype.kind != "f":
            if name.startswith("igamma"):
                raise RuntimeError(f"{name}: operands must be floats, got {x.dtype}")
            x, z = as_float(x), as_float(z)
        y = wide(function)(x, z)
        ctx.save(x, z, y, spec(input), spec(other))
        return y

    forward.__name__, forward.__doc__, forward.__module__ = name, documentation(doc, "a tensor or a number"), __name__
    result = op(forward)

    def slope(ctx: Node, i: int, *values: Any) -> Any:
        given = slopes[i]
        if given is None:
            raise NotImplementedError(f"{name}: the derivative for input is not implemented")
        return given(*values)

    @result.gradient
    def _(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        x, z, y, *specs = ctx.saved
        with np.errstate(all="ignore"):
            return tuple([
                unbroadcast(np.asarray(dy * slope(ctx, i, Arrays, x, z, y), dy.dtype), s) if need else None
                for i, (s, need) in enumerate(zip(specs, ctx.needs))
            ])  # fmt: skip

    @result.definition
    def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, ...]:
        saved_x, saved_z, y, *specs = ctx.saved
        x, z = [arithmetic.operand(ctx, i, a, s) for i, (a, s) in enumerate(zip((saved_x, saved_z), specs))]
        return tuple([
            fitted(dy * slope(ctx, i, TENSORS, x, z, constant(y)), s) if need else None
            for i, (s, need) in enumerate(zip(specs, ctx.needs))
        ])  # fmt: skip

    setattr(TENSORS, name, result)
    return result


def over(f: Any, y: Any, x: Any) -> Any:
    """y/x, ½ at 0."""
    return f.where(x == 0, 0.5, y / f.where(x == 0, 1.0, x))


ROOT_PI, ROOT_2PI = math.sqrt(math.pi), math.sqrt(2 * math.pi)

lgamma = unary(
    "lgamma", "Return log |Γ(x)|, ∞ at 0, −1, −2, ….", gamma.lgamma, lambda f, x, y: f.digamma(x)
)  # fmt: skip
digamma = unary("digamma", "Return ψ(x), the derivative of log Γ(x).", gamma.digamma, lambda f, x, y: f.polygamma(x, 1))
erfc = unary(
    "erfc",
    "Return 1 − erf(x), accurate where erf(x) is near 1.",
    error.erfc,
    lambda f, x, y: -2 / ROOT_PI * f.exp(-x * x),
)
erfcx = unary("erfcx", "Return e^(x²)·erfc(x).", error.erfcx, lambda f, x, y: 2 * x * y - 2 / ROOT_PI)
erfinv = unary(
    "erfinv",
    "Return the inverse of erf, NaN outside of −1 to 1.",
    error.erfinv,
    lambda f, x, y: ROOT_PI / 2 * f.exp(y * y),
)
ndtr = unary(
    "ndtr",
    "Return Φ(x), the normal distribution's function.",
    error.ndtr,
    lambda f, x, y: f.exp(x * x * -0.5) / ROOT_2PI,
)
ndtri = unary(
    "ndtri",
    "Return the inverse of Φ, NaN outside of 0 to 1.",
    error.ndtri,
    lambda f, x, y: ROOT_2PI * f.exp(y * y * 0.5),
)
log_ndtr = unary(
    "log_ndtr",
    "Return log Φ(x), accurate in both tails.",
    error.log_ndtr,
    lambda f, x, y: math.sqrt(2 / math.pi) / f.erfcx(x * -math.sqrt(0.5)),
)
i0 = unary("i0", "Return the modified Bessel function I₀.", bessel.i0, lambda f, x, y: f.i1(x))
i0e = unary("i0e", "Return e^(−|x|)·I₀(x).", bessel.i0e, lambda f, x, y: f.i1e(x) - f.sign(x) * y)
i1 = unary("i1", "Return the modified Bessel function I₁.", bessel.i1, lambda f, x, y: f.i0(x) - over(f, y, x))
i1e = unary(
    "i1e",
    "Return e^(−|x|)·I₁(x).",
    bessel.i1e,
    lambda f, x, y: f.i0e(x) - f.sign(x) * y - over(f, y, x),
)
entr = unary(
    "entr",
    "Return −x·log x; 0 at 0, −∞ below.",
    lambda x: np.where(x > 0, -x * np.log(x), np.where(x < 0, -np.inf, x * 0)),
    lambda f, x, y: -f.log(x) - 1,
)
igamma = binary(
    "igamma",
    "Return P(a, x) = ∫₀ˣ tᵃ⁻¹·e⁻ᵗ dt/Γ(a) for a = input, x = other; the gradient is that of x.",
    gamma.gammainc,
    (None, lambda f, a, x, y: f.exp((a - 1) * f.log(x) - x - f.lgamma(a))),
)
igammac = binary(
    "igammac",
    "Return Q(a, x) = 1 − P(a, x) for a = input, x = other; the gradient is that of x.",
    gamma.gammaincc,
    (None, lambda f, a, x, y: -f.exp((a - 1) * f.log(x) - x - f.lgamma(a))),
)
zeta = binary(
    "zeta",
    "Return Hurwitz' ζ(s, q) = Σ (q + k)⁻ˢ for s = input, q = other; the gradient is that of q.",
    gamma.zeta,
    (None, lambda f, s, q, y: -s * f.zeta(s + 1, q)),
)
xlog1py = binary(
    "xlog1py",
    "Return input·log(1 + other), 0 where input is 0 and other is not NaN.",
    lambda x, z: np.where((x == 0) & ~np.isnan(z), 0.0, x * np.log1p(z)),
    (lambda f, x, z, y: f.where((x == 0) & (z <= -1), x * 0, f.log1p(z)), lambda f, x, z, y: x / (z + 1)),
)


@op
def polygamma(ctx: Node, input: Array, *, n: int) -> Array:
    """Return ψ⁽ⁿ⁾(x), the n-th derivative of ψ.

    Args:
        input: a tensor; integers and booleans are converted to float32.
        n: the order, at least 0.
    """
    if n < 0:
        raise RuntimeError(f"polygamma: n must not be negative, got {n}")
    x = as_float(input)
    ctx.save(x, n)
    return Arrays.polygamma(x, n)


@polygamma.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·ψ⁽ⁿ⁺¹⁾(x)"""
    x, n = ctx.saved
    return dy * Arrays.polygamma(x, n + 1)


@polygamma.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·ψ⁽ⁿ⁺¹⁾(x)"""
    x, n = ctx.saved
    return dy * polygamma(ctx.input(0, x), n=n + 1)


TENSORS.polygamma = polygamma
gamma_slope = binary(
    "gamma_slope",
    "Return dx/da for samples x = other of the gamma distribution with a = input.",
    gamma.gamma_ratio,
    (None, None),
)


@op
def gamma_sample(ctx: Node, input: Array, values: Array) -> Array:
    """Return the values, samples of the gamma distribution with concentrations `input`, as a function of these."""
    ctx.save(input, values)
    return values.copy()


@gamma_sample.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None]:
    """da = dy·dx/da"""
    a, values = ctx.saved
    return dy * wide(gamma.gamma_ratio)(a, values), None


@gamma_sample.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, None]:
    """da = dy·dx/da"""
    a, values = ctx.saved
    return dy * gamma_slope(ctx.input(0, a), constant(values)), None
