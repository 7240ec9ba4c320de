"""Functions of one number, elementwise. Those that training spends its time in are kernels (``ops/activation.py``); for
these NumPy computes, and each has its slope beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, Op, op
from cygrad.ops.broadcast import FLOAT32

Slope = Callable[[Array, Array], Array]  # (x, y) -> dy/dx


def as_float(x: Array) -> Array:
    """x itself if it holds floats, else as float32."""
    return x if x.dtype.kind == "f" else x.astype(FLOAT32)


def unary(name: str, formula: str, function: Callable[[Array], Array], slope: Slope) -> Op:
    """An op of one float tensor from a NumPy function and its slope."""

    def forward(ctx: Node, input: Array) -> Array:
        x = as_float(input)
        with np.errstate(all="ignore"):
            y = np.asarray(function(x), x.dtype)
        ctx.save(x, y)
        return y

    forward.__name__, forward.__doc__, forward.__module__ = name, formula, __name__
    result = op(forward)

    @result.gradient
    def _(ctx: Node, dy: Array) -> Array:
        x, y = ctx.saved
        with np.errstate(all="ignore"):
            return np.asarray(dy * slope(x, y), dy.dtype)

    return result


sqrt = unary("sqrt", "√x", np.sqrt, lambda x, y: 0.5 / y)
rsqrt = unary("rsqrt", "1/√x", lambda x: 1 / np.sqrt(x), lambda x, y: -0.5 * y / x)
square = unary("square", "x²", np.square, lambda x, y: 2 * x)
reciprocal = unary("reciprocal", "1/x", np.reciprocal, lambda x, y: -y * y)
exp2 = unary("exp2", "2ˣ", np.exp2, lambda x, y: y * np.log(2).astype(y.dtype))
expm1 = unary("expm1", "eˣ − 1", np.expm1, lambda x, y: y + 1)
log1p = unary("log1p", "log(1 + x)", np.log1p, lambda x, y: 1 / (1 + x))
log2 = unary("log2", "log₂ x", np.log2, lambda x, y: 1 / (x * np.log(2).astype(x.dtype)))
log10 = unary("log10", "log₁₀ x", np.log10, lambda x, y: 1 / (x * np.log(10).astype(x.dtype)))
sin = unary("sin", "sin x, x in radians", np.sin, lambda x, y: np.cos(x))
cos = unary("cos", "cos x, x in radians", np.cos, lambda x, y: -np.sin(x))
tan = unary("tan", "tan x, x in radians", np.tan, lambda x, y: 1 + y * y)
asin = unary("asin", "The angle whose sine is x, in radians", np.arcsin, lambda x, y: 1 / np.sqrt(1 - x * x))
acos = unary("acos", "The angle whose cosine is x, in radians", np.arccos, lambda x, y: -1 / np.sqrt(1 - x * x))
atan = unary("atan", "The angle whose tangent is x, in radians", np.arctan, lambda x, y: 1 / (1 + x * x))
sinh = unary("sinh", "(eˣ − e⁻ˣ)/2", np.sinh, lambda x, y: np.cosh(x))
cosh = unary("cosh", "(eˣ + e⁻ˣ)/2", np.cosh, lambda x, y: np.sinh(x))
asinh = unary("asinh", "The number whose sinh is x", np.arcsinh, lambda x, y: 1 / np.sqrt(x * x + 1))
acosh = unary("acosh", "The number ≥ 0 whose cosh is x", np.arccosh, lambda x, y: 1 / np.sqrt(x * x - 1))
atanh = unary("atanh", "The number whose tanh is x", np.arctanh, lambda x, y: 1 / (1 - x * x))


@op
def neg(ctx: Node, input: Array) -> Array:
    """−x"""
    if input.dtype.kind == "b":
        raise TypeError("neg: booleans have no negative, use ~ or logical_not")
    return np.negative(input)


@neg.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = −dy"""
    return np.negative(dy)


@op
def abs(ctx: Node, input: Array) -> Array:
    """|x|, with slope 0 at 0"""
    ctx.save(input)
    return np.abs(input)


@abs.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·sign x"""
    (x,) = ctx.saved
    return dy * np.sign(x)


def flat(name: str, formula: str, function: Callable[[Array], Array], keeps_integers: bool = True) -> Op:
    """An op whose slope is zero wherever it has one."""

    def forward(ctx: Node, input: Array) -> Array:
        if keeps_integers and input.dtype.kind in "iu":
            return input.copy()
        return function(input)

    forward.__name__, forward.__doc__, forward.__module__ = name, formula, __name__
    result = op(forward)

    @result.gradient
    def _(ctx: Node, dy: Array) -> Array:
        return np.zeros_like(dy)

    return result


floor = flat("floor", "⌊x⌋", np.floor)
ceil = flat("ceil", "⌈x⌉", np.ceil)
trunc = flat("trunc", "x without its fraction", np.trunc)
round = flat("round", "The nearest integer, the even one of two", np.rint)
sign = flat("sign", "−1, 0 or 1: the sign of x", np.sign, keeps_integers=False)


@op
def frac(ctx: Node, input: Array) -> Array:
    """x − trunc x"""
    return input - np.trunc(input)


@frac.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy"""
    return dy


@op
def exp(ctx: Node, input: Array) -> Array:
    """eˣ

    >>> cg.exp(cg.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    y = kernels.exp(as_float(input))
    ctx.save(y)
    return y


@exp.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·eˣ"""
    (y,) = ctx.saved
    return kernels.exp_backward(dy, y)


@op
def log(ctx: Node, input: Array) -> Array:
    """The natural logarithm: −∞ at 0, NaN below"""
    x = as_float(input)
    ctx.save(x)
    return kernels.log(x)


@log.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy/x"""
    (x,) = ctx.saved
    return kernels.log_backward(dy, x)


@op
def erf(ctx: Node, input: Array) -> Array:
    """2/√π·∫₀ˣ e^(−t²) dt"""
    x = as_float(input)
    ctx.save(x)
    return kernels.erf(x)


@erf.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·2/√π·e^(−x²)"""
    (x,) = ctx.saved
    return kernels.erf_backward(dy, x)


@op
def nan_to_num(
    ctx: Node, input: Array, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Array:
    """x with NaN and infinities replaced; by default by 0 and the largest and smallest number of the dtype."""
    ctx.save(np.isfinite(input))
    return np.nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)


@nan_to_num.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy where x was finite"""
    (finite,) = ctx.saved
    return dy * finite
