"""Elementwise functions that are compositions of others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad._typing import Operand, Tensor
from cygrad.autograd import Value, engine, recording
from cygrad.autograd.calls import function, requires_tensor
from cygrad.config import default_float
from cygrad.ops import arithmetic, compare, index, pointwise, shape, special
from cygrad.ops.definition import constant

__all__ = [
    "addcdiv", "addcmul", "angle", "clamp_max", "clamp_min", "conj_physical", "deg2rad", "fill", "float_power", "fmax",
    "fmin", "frexp", "isneginf", "isposinf", "isreal", "ldexp", "logit", "mvlgamma", "polygamma", "positive", "rad2deg",
    "real", "rsub", "sgn", "signbit", "sinc",
]  # fmt: skip


def in_floats(input: Tensor) -> Tensor:
    """The tensor itself if it holds floats, else its numbers in the default dtype."""
    return input if input.is_floating_point() else input.to(default_float())


@requires_tensor
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """Return input + value·tensor1·tensor2."""
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


@requires_tensor
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """Return input + value·tensor1/tensor2."""
    if not (tensor1.is_floating_point() or tensor2.is_floating_point()):
        raise RuntimeError("addcdiv: integers can't be divided, use div with a rounding_mode")
    return input + (tensor1 if value == 1 else tensor1 * value) / tensor2


@requires_tensor
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """Return the larger of two elements, the other one where one is NaN; the first of equal ones has the gradient."""
    return arithmetic.where((input >= other) | compare.isnan(other), input, other)


@requires_tensor
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """Return the smaller of two elements, the other one where one is NaN; the first of equal ones has the gradient."""
    return arithmetic.where((input <= other) | compare.isnan(other), input, other)


@requires_tensor
def fill(input: Tensor, value: Operand) -> Tensor:
    """Return a tensor of input's shape and dtype with the same value in each element."""
    if getattr(value, "ndim", 0):
        raise RuntimeError("fill: value must be one number")
    return index.masked_fill(input, engine.wrap(np.ones(input.shape, bool)), value)


@requires_tensor
def conj_physical(input: Tensor) -> Tensor:
    """Return a copy, since there are no complex numbers."""
    return shape.clone(input)


@requires_tensor
def angle(input: Tensor) -> Tensor:
    """Return the argument of a real number: π where it is negative, else 0; NaN for NaN."""
    x = in_floats(input)
    return arithmetic.where(compare.isnan(x), x, arithmetic.where(x < 0, math.pi, x * 0)).detach() + x * 0


@requires_tensor
def clamp_min(input: Tensor, min: Operand) -> Tensor:
    """Return the larger of each element and `min`."""
    return arithmetic.clamp(input, min)


@requires_tensor
def clamp_max(input: Tensor, max: Operand) -> Tensor:
    """Return the smaller of each element and `max`."""
    return arithmetic.clamp(input, None, max)


@requires_tensor
def deg2rad(input: Tensor) -> Tensor:
    """Convert degrees to radians."""
    return input * (math.pi / 180)


@requires_tensor
def rad2deg(input: Tensor) -> Tensor:
    """Convert radians to degrees."""
    return input * (180 / math.pi)


@function
def float_power(input: Operand, exponent: Operand) -> Tensor:
    """Raise to a power in float64."""
    base: Any = input.double() if isinstance(input, Value) else input
    return arithmetic.pow(base, exponent.double() if isinstance(exponent, Value) else exponent)


@requires_tensor
def frexp(input: Tensor) -> tuple[Tensor, Tensor]:
    """Return (mantissa, exponent): input = mantissa·2^exponent with a mantissa in ±[0.5, 1)."""
    exponent = engine.wrap(recording.produced(lambda x: np.frexp(x)[1].astype(np.int32), input.array))
    return input * (-exponent.to(input.dtype)).exp2(), exponent


@requires_tensor
def isposinf(input: Tensor) -> Tensor:
    """Return elementwise whether x is ∞."""
    return compare.eq(input, math.inf)


@requires_tensor
def isneginf(input: Tensor) -> Tensor:
    """Return elementwise whether x is −∞."""
    return compare.eq(input, -math.inf)


@requires_tensor
def isreal(input: Tensor) -> Tensor:
    """Return elementwise whether x is real: always true."""
    return compare.logical_or(input, True)


@requires_tensor
def ldexp(input: Tensor, other: Operand) -> Tensor:
    """Return input·2^other."""
    if not isinstance(other, Value):
        return input * arithmetic.pow(2.0, other)
    power = arithmetic.pow(2.0, other * 1.0)
    exact = input.is_floating_point() and other.array.dtype.kind != "f"  # integers do not widen input
    return input * (power.to(input.dtype) if exact else power)


@requires_tensor
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """Return log(x/(1 − x)), with x limited to [eps, 1 − eps]."""
    x = in_floats(input)
    x = x if eps is None else x.clamp(eps, 1 - eps)
    return (x / (1 - x)).log()


@requires_tensor
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """Return the logarithm of the multivariate gamma function: ¼·p·(p − 1)·log π + Σⱼ log Γ(x − j/2), j < p."""
    if p < 1:
        raise RuntimeError(f"mvlgamma: p must be at least 1, got {p}")
    x = in_floats(input)
    steps = constant(np.arange(p, dtype=x.dtype) * -0.5)
    return special.lgamma(x.unsqueeze(-1) + steps).sum(-1) + p * (p - 1) / 4 * math.log(math.pi)


@function
def polygamma(n: Any, input: Any) -> Tensor:
    """Return ψ⁽ⁿ⁾(x), the n-th derivative of the digamma function ψ.

    Args:
        n: the order, at least 0.
        input: a tensor.
    """
    if isinstance(n, Value):  # the method has the tensor first
        n, input = input, n
    return special.digamma(input) if n == 0 else special.polygamma(input, n=n)


@requires_tensor
def positive(input: Tensor) -> Tensor:
    """Return the tensor itself."""
    if input.dtype.kind == "b":
        raise RuntimeError("positive: booleans have no sign")
    return input


@requires_tensor
def real(input: Tensor) -> Tensor:
    """Return the tensor itself, since there are no complex numbers."""
    return input


@requires_tensor
def rsub(input: Tensor, other: Operand, *, alpha: float = 1) -> Tensor:
    """Return other − alpha·input."""
    return arithmetic.sub(other, input, alpha=alpha)


@requires_tensor
def sgn(input: Tensor) -> Tensor:
    """Return the sign, as :func:`cygrad.sign`."""
    return pointwise.sign(input)


@requires_tensor
def signbit(input: Tensor) -> Tensor:
    """Return elementwise whether the sign bit is set, as it is for −0.0."""
    return engine.wrap(recording.produced(lambda x: np.signbit(x) if x.dtype.kind == "f" else x < 0, input.array))


@requires_tensor
def sinc(input: Tensor) -> Tensor:
    """Return sin(πx)/(πx), 1 at 0."""
    x = in_floats(input) * math.pi
    zero = x == 0
    return arithmetic.where(zero, 1 - x * x / 6, x.sin() / x.masked_fill(zero, 1))
