"""Elementwise functions of two tensors that NumPy computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, Op, op
from cygrad.ops import arithmetic, pointwise
from cygrad.ops.broadcast import as_float, promoted, spec, unbroadcast
from cygrad.ops.compare import documentation
from cygrad.ops.definition import constant, fitted

__all__ = [
    "copysign", "gcd", "heaviside", "hypot", "lcm", "logaddexp", "logaddexp2", "nextafter", "xlogy",
]  # fmt: skip

Slope = Callable[[Any, Any, Any, Any], Any]
OPERANDS = "a tensor or a number"


class TensorFunctions:
    """What slopes call on tensors; on arrays they call NumPy."""

    where, log, exp, exp2, sign = arithmetic.where, pointwise.log, pointwise.exp, pointwise.exp2, pointwise.sign


def binary(name: str, doc: str, function: Any, slopes: tuple[Slope, Slope]) -> Op:
    """An op on two tensors of floats, from a NumPy function and its derivatives: slope(f, x, other, y), where f has
    NumPy's functions."""

    def forward(ctx: Node, input: Any, other: Any) -> Array:
        x, z = promoted(input, other)
        x, z = as_float(x), as_float(z)
        with np.errstate(all="ignore"):
            y = np.asarray(function(x, z), x.dtype)
        ctx.save(x, z, y, spec(input), spec(other))
        return y

    forward.__name__, forward.__doc__, forward.__module__ = name, documentation(doc, OPERANDS), __name__
    result = op(forward)

    @result.gradient
    def _(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
        x, z, y, *specs = ctx.saved
        with np.errstate(all="ignore"):
            return tuple([
                unbroadcast(np.asarray(dy * slope(np, x, z, y), dy.dtype), s) if need else None
                for slope, s, need in zip(slopes, specs, ctx.needs)
            ])  # fmt: skip

    @result.definition
    def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, ...]:
        saved_x, saved_z, y, *specs = ctx.saved
        x, z = [arithmetic.operand(ctx, i, a, s) for i, (a, s) in enumerate(zip((saved_x, saved_z), specs))]
        return tuple([
            fitted(dy * slope(TensorFunctions, x, z, constant(y)), s) if need else None
            for slope, s, need in zip(slopes, specs, ctx.needs)
        ])  # fmt: skip

    return result


def weight(f: Any, difference: Any) -> Any:
    """1/(1 + e^difference)"""
    return 1 / (1 + f.exp(difference))


hypot = binary(
    "hypot",
    "Return the length of the vector (input, other): y = √(input² + other²).",
    np.hypot,
    (lambda f, x, z, y: x / (x * x + z * z) ** 0.5, lambda f, x, z, y: z / (x * x + z * z) ** 0.5),
)
logaddexp = binary(
    "logaddexp",
    "Return log(e^input + e^other), without overflow.",
    np.logaddexp,
    (lambda f, x, z, y: weight(f, z - x), lambda f, x, z, y: weight(f, x - z)),
)
logaddexp2 = binary(
    "logaddexp2",
    "Return log₂(2^input + 2^other), without overflow.",
    np.logaddexp2,
    (lambda f, x, z, y: weight(f, (z - x) * math.log(2)), lambda f, x, z, y: weight(f, (x - z) * math.log(2))),
)
xlogy = binary(
    "xlogy",
    "Return input·log(other), 0 where input is 0 and other is not NaN.",
    lambda x, z: np.where((x == 0) & ~np.isnan(z), x.dtype.type(0), x * np.log(z)),
    (lambda f, x, z, y: f.where((x == 0) & (z <= 0), x * 0, f.log(z)), lambda f, x, z, y: x / z),
)
copysign = binary(
    "copysign",
    "Return input with the sign of other.",
    np.copysign,
    (lambda f, x, z, y: f.sign(x) * f.sign(y), lambda f, x, z, y: x * 0),
)
nextafter = binary(
    "nextafter",
    "Return the next number after input, toward other.",
    np.nextafter,
    (lambda f, x, z, y: f.where(x == z, 0.0, 1.0), lambda f, x, z, y: x * 0),
)


def without_gradient(name: str, doc: str, function: Any) -> Op:
    """An op on two tensors of one dtype that has no gradient."""

    def forward(ctx: Node, input: Any, other: Any) -> Array:
        x, z = promoted(input, other)
        if name in ("gcd", "lcm") and x.dtype.kind not in "iu":
            raise RuntimeError(f"{name}: operands must be integers, got {x.dtype}")
        if name == "heaviside" and input.dtype != other.dtype:
            raise RuntimeError(f"heaviside: dtypes must be equal, got {input.dtype} and {other.dtype}")
        return np.asarray(function(x, z), x.dtype)

    forward.__name__, forward.__doc__, forward.__module__ = name, documentation(doc, OPERANDS), __name__
    return op(forward)


gcd = without_gradient("gcd", "Return the greatest common divisor of integers.", np.gcd)
lcm = without_gradient("lcm", "Return the least common multiple of integers.", np.lcm)
heaviside = without_gradient(
    "heaviside",
    "Return 0 where input < 0, 1 where input > 0, and other where it is 0.",
    lambda x, z: np.where(x == 0, z, x > 0),
)
