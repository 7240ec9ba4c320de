"""Functions of one tensor, elementwise. The functions in which training spends its time are kernels
(``ops/activation.py``); NumPy computes these, and the derivative of each stands beside it.
"""

from __future__ import annotations

import builtins
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, Op, op
from cygrad.ops.broadcast import as_float
from cygrad.ops.definition import self_adjoint

__all__ = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "frac",
    "log",
    "log1p",
    "log2",
    "log10",
    "nan_to_num",
    "neg",
    "reciprocal",
    "round",
    "rsqrt",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "trunc",
]

Slope = Callable[[Any, Any, Any], Any]  # (f, x, y) -> dy/dx; f has the functions: NumPy, or this module

FLOATS = "a tensor; integers and booleans are converted to float32."


def documentation(summary: str, input: str) -> str:
    """The docstring of an op on one tensor."""
    return f"{summary}\n\nArgs:\n    input: {input}\n"


def unary(
    name: str,
    formula: str,
    function: Callable[[Array], Array],
    slope: Slope,
    arrays: Any = np,
    tensors: Any = None,
    module: str = __name__,
) -> Op:
    """An op on one tensor of floats, from a NumPy function and its derivative. What the derivative calls _ is not
    saved, and may be changed in place.

    Args:
        name: of the op.
        formula: for its documentation.
        function: y = function(x) on arrays.
        slope: dy/dx = slope(f, x, y), where f has the functions that it calls.
        arrays, tensors: f for arrays, and for tensors in a definition, by default the module.
        module: that has the op.
    """
    reads_x, reads_y = [n != "_" for n in slope.__code__.co_varnames[1:3]]

    def forward(ctx: Node, input: Array) -> Array:
        x = as_float(input)
        with np.errstate(all="ignore"):
            y = np.asarray(function(x), x.dtype)
        ctx.save(x if reads_x else None, y if reads_y else None)
        return y

    forward.__name__, forward.__doc__, forward.__module__ = name, documentation(formula, FLOATS), module
    result = op(forward)

    @result.gradient
    def _(ctx: Node, dy: Array) -> Array:
        x, y = ctx.saved
        with np.errstate(all="ignore"):
            return np.asarray(dy * slope(arrays, x, y), dy.dtype)

    @result.definition
    def _(ctx: Node, dy: Tensor) -> Tensor:
        x, y = ctx.saved
        space = tensors or sys.modules[module]
        return dy * slope(space, ctx.input(0, x) if reads_x else x, ctx.output(y) if reads_y else y)

    return result


sqrt = unary("sqrt", "Return the square root: y = √x, NaN below 0.", np.sqrt, lambda f, _, y: 0.5 / y)
rsqrt = unary(
    "rsqrt",
    "Return the reciprocal of the square root: y = 1/√x.",
    lambda x: 1 / np.sqrt(x),
    lambda f, _, y: -0.5 * y * y * y,
)


@op
def square(ctx: Node, input: Array) -> Array:
    """Return the square: y = x².

    Args:
        input: a tensor; booleans are converted to int64.
    """
    x = input.astype(np.int64) if input.dtype.kind == "b" else input
    ctx.save(x)
    with np.errstate(all="ignore"):
        return np.square(x)


@square.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = 2·dy·x"""
    with np.errstate(all="ignore"):
        return np.asarray(dy * (2 * ctx.saved[0]), dy.dtype)


@square.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = 2·dy·x"""
    return dy * (2 * ctx.input(0, ctx.saved[0]))


reciprocal = unary("reciprocal", "Return the reciprocal: y = 1/x.", np.reciprocal, lambda f, _, y: -y * y)
exp2 = unary("exp2", "Return the power of two: y = 2ˣ.", np.exp2, lambda f, _, y: y * math.log(2))
expm1 = unary("expm1", "Return the exponential minus 1, accurate near 0: y = eˣ − 1.", np.expm1, lambda f, _, y: y + 1)
log1p = unary(
    "log1p", "Return the logarithm of 1 + x, accurate near 0: y = log(1 + x).", np.log1p, lambda f, x, _: 1 / (1 + x)
)
log2 = unary("log2", "Return the logarithm to base 2: y = log₂ x.", np.log2, lambda f, x, _: 1 / (x * math.log(2)))
log10 = unary(
    "log10",
    "Return the logarithm to base 10: y = log₁₀ x.",
    np.log10,
    lambda f, x, _: 1 / (x * math.log(10)),
)
softsign = unary(
    "softsign", "Return x/(1 + |x|).", lambda x: x / (1 + np.abs(x)), lambda f, x, _: f.square(1 / (1 + f.abs(x)))
)


@op
def sin(ctx: Node, input: Array) -> Array:
    """Return the sine of x, in radians: y = sin x.

    Args:
        input: a tensor; integers and booleans are converted to float32.
    """
    x = as_float(input)
    ctx.save(x)
    return kernels.sine(x, 0)


@sin.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·cos x"""
    (x,) = ctx.saved
    return kernels.sine_backward(dy, x, 0)


@sin.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·cos x"""
    return dy * ctx.input(0, *ctx.saved).cos()


@op
def cos(ctx: Node, input: Array) -> Array:
    """Return the cosine of x, in radians: y = cos x = sin(x + π/2).

    Args:
        input: a tensor; integers and booleans are converted to float32.
    """
    x = as_float(input)
    ctx.save(x)
    return kernels.sine(x, 1)


@cos.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = −dy·sin x = dy·sin(x + π)"""
    (x,) = ctx.saved
    return kernels.sine_backward(dy, x, 1)


@cos.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = −dy·sin x"""
    return -dy * ctx.input(0, *ctx.saved).sin()


tan = unary("tan", "Return the tangent of x, in radians.", np.tan, lambda f, _, y: 1 + y * y)
asin = unary(
    "asin", "Return the arcsine of x, in radians from −π/2 to π/2.", np.arcsin, lambda f, x, _: 1 / f.sqrt(1 - x * x)
)
acos = unary(
    "acos", "Return the arccosine of x, in radians from 0 to π.", np.arccos, lambda f, x, _: -1 / f.sqrt(1 - x * x)
)
atan = unary(
    "atan", "Return the arctangent of x, in radians from −π/2 to π/2.", np.arctan, lambda f, x, _: 1 / (1 + x * x)
)
sinh = unary("sinh", "Return the hyperbolic sine: y = (eˣ − e⁻ˣ)/2.", np.sinh, lambda f, x, _: f.cosh(x))
cosh = unary("cosh", "Return the hyperbolic cosine: y = (eˣ + e⁻ˣ)/2.", np.cosh, lambda f, x, _: f.sinh(x))
asinh = unary("asinh", "Return the inverse hyperbolic sine of x.", np.arcsinh, lambda f, x, _: 1 / f.sqrt(x * x + 1))
acosh = unary(
    "acosh",
    "Return the inverse hyperbolic cosine of x, NaN below 1.",
    np.arccosh,
    lambda f, x, _: 1 / f.sqrt(x * x - 1),
)
atanh = unary("atanh", "Return the inverse hyperbolic tangent of x.", np.arctanh, lambda f, x, _: 1 / (1 - x * x))


@op
def neg(ctx: Node, input: Array) -> Array:
    """Negate: y = −x.

    Args:
        input: a tensor of integers or floats.

    Raises:
        RuntimeError: for booleans.
    """
    if input.dtype.kind == "b":
        raise RuntimeError("neg: booleans can't be negated; use ~ or logical_not")
    return np.negative(input)


@neg.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = −dy"""
    return np.negative(dy)


@neg.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = −dy"""
    return -dy


@op
def abs(ctx: Node, input: Array) -> Array:
    """Return the absolute value: y = |x|. The gradient at 0 and at NaN is 0.

    Args:
        input: a tensor.
    """
    ctx.save(input)
    return np.abs(input)


@abs.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·sign x"""
    (x,) = ctx.saved
    return dy * sign_of(x)


abs.definition(self_adjoint(abs))


def sign_of(x: Array) -> Array:
    """−1, 0 or 1, and 0 for NaN, in the dtype of x."""
    return x.copy() if x.dtype.kind == "b" else np.subtract(x > 0, x < 0, dtype=x.dtype)


def piecewise_constant(name: str, formula: str, function: Callable[[Array], Array], keeps_integers: bool = True) -> Op:
    """An op that is piecewise constant, so that its gradient is zero."""

    def forward(ctx: Node, input: Array) -> Array:
        if keeps_integers and input.dtype.kind in "iu":
            return input.copy()
        return function(input)

    forward.__name__, forward.__doc__, forward.__module__ = name, documentation(formula, "a tensor."), __name__
    result = op(forward)

    @result.gradient
    def _(ctx: Node, dy: Array) -> Array:
        return np.zeros_like(dy)

    result.definition(self_adjoint(result))
    return result


floor = piecewise_constant("floor", "Round down: y = ⌊x⌋. The gradient is 0.", np.floor)
ceil = piecewise_constant("ceil", "Round up: y = ⌈x⌉. The gradient is 0.", np.ceil)
trunc = piecewise_constant("trunc", "Round toward zero. The gradient is 0.", np.trunc)


MOST_DECIMALS = 309  # 10³⁰⁹ is ∞ in float64, and all numbers become NaN, as in PyTorch


@op
def round(ctx: Node, input: Array, *, decimals: int = 0) -> Array:
    """Round to the nearest number with so many decimals, halves to the even one. The gradient is 0.

    Args:
        input: a tensor.
        decimals: the number of decimals; negative ones round to tens, hundreds, …
    """
    if input.dtype.kind in "iu" and decimals == 0:
        return input.copy()
    if input.dtype.kind != "f":
        raise RuntimeError(f"round: integers have no decimals, and booleans can't be rounded; got {input.dtype}")
    if not decimals:
        return np.rint(input)
    places = builtins.min(builtins.abs(decimals), MOST_DECIMALS)
    scale = input.dtype.type(10**places if places < MOST_DECIMALS else math.inf)
    with np.errstate(invalid="ignore"):
        return np.rint(input * scale) / scale if decimals > 0 else np.rint(input / scale) * scale


@round.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = 0"""
    return np.zeros_like(dy)


round.definition(self_adjoint(round))
sign = piecewise_constant(
    "sign", "Return the sign: −1, 0 or 1, and 0 for NaN. The gradient is 0.", sign_of, keeps_integers=False
)


@op
def frac(ctx: Node, input: Array) -> Array:
    """Return the fractional part: y = x − trunc(x).

    Args:
        input: a tensor of floats.
    """
    return input - np.trunc(input)


@frac.definition
@frac.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy"""
    return dy


@op
def exp(ctx: Node, input: Array) -> Array:
    """Return the exponential: y = eˣ.

    Args:
        input: a tensor; integers and booleans are converted to float32.

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


@exp.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·eˣ"""
    return dy * ctx.output(*ctx.saved)


@op
def log(ctx: Node, input: Array) -> Array:
    """Return the natural logarithm: y = log x, −∞ at 0 and NaN below.

    Args:
        input: a tensor; integers and booleans are converted to float32.
    """
    x = as_float(input)
    ctx.save(x)
    return kernels.log(x)


@log.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy/x"""
    (x,) = ctx.saved
    return kernels.log_backward(dy, x)


@log.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy/x"""
    return dy / ctx.input(0, *ctx.saved)


@op
def erf(ctx: Node, input: Array) -> Array:
    """Return the error function: y = 2/√π·∫₀ˣ e^(−t²) dt.

    Args:
        input: a tensor; integers and booleans are converted to float32.
    """
    x = as_float(input)
    ctx.save(x)
    return kernels.erf(x)


@erf.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy·2/√π·e^(−x²)"""
    (x,) = ctx.saved
    return kernels.erf_backward(dy, x)


@erf.definition
def _(ctx: Node, dy: Tensor) -> Tensor:
    """dx = dy·2/√π·e^(−x²)"""
    x = ctx.input(0, *ctx.saved)
    return dy * (-x * x).exp() * (2 / math.sqrt(math.pi))


@op
def nan_to_num(
    ctx: Node, input: Array, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Array:
    """Replace NaN and infinities.

    Args:
        input: a tensor.
        nan: the replacement of NaN.
        posinf: the replacement of ∞; None for the largest number of the dtype.
        neginf: the replacement of −∞; None for the smallest number of the dtype.
    """
    ctx.save(np.isfinite(input))
    return np.nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)


@nan_to_num.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = dy where x was finite"""
    (finite,) = ctx.saved
    return dy * finite


nan_to_num.definition(self_adjoint(nan_to_num))
