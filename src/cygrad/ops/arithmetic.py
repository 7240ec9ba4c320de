"""Arithmetic on two operands, with broadcasting and PyTorch's type promotion."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op
from cygrad.ops.broadcast import (
    Spec,
    as_array,
    as_float,
    is_real,
    option,
    promoted,
    refuse_booleans,
    result_type,
    spec,
    unbroadcast,
)  # fmt: skip
from cygrad.ops.definition import constant, fitted, self_adjoint

__all__ = [
    "add",
    "atan2",
    "clamp",
    "clip",
    "div",
    "divide",
    "floor_divide",
    "fmod",
    "lerp",
    "maximum",
    "minimum",
    "mul",
    "multiply",
    "pow",
    "remainder",
    "sub",
    "subtract",
    "true_divide",
    "where",
]


def is_boolean(x: Any) -> bool:
    """Whether x is a boolean or an array of booleans."""
    return isinstance(x, bool) or (isinstance(x, np.ndarray) and x.dtype.kind == "b")


def product(x: Array, y: Array) -> Array:
    """x·y, of one dtype"""
    return kernels.mul(x, y) if is_real(x) else np.multiply(x, y)


def quotient(x: Array, y: Array) -> Array:
    """x/y, of one dtype"""
    return kernels.div(x, y) if is_real(x) else np.divide(x, y)


def negative(x: Array) -> Array:
    """−x"""
    return np.negative(x)


@op
def add(ctx: Node, input: Any, other: Any, *, alpha: float = 1) -> Array:
    """Add two tensors: y = input + alpha·other.

    Args:
        input: a tensor or a number.
        other: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.
        alpha: the factor of other.

    >>> cg.add(cg.tensor([1.0, 2.0]), cg.tensor([[10.0], [20.0]]))
    tensor([[11., 12.],
            [21., 22.]])
    """
    x, y = promoted(input, other)
    if type(alpha) is not int or alpha != 1:
        alpha = factor("add", alpha, y)
        y = times(y, alpha)
    ctx.save(spec(input), spec(other), alpha)
    return kernels.add(x, y) if is_real(x) else np.add(x, y)


@add.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dx = dy, d other = alpha·dy"""
    x, y, alpha = ctx.saved
    scaled = dy if alpha == 1 or not ctx.needs[1] else times(dy, alpha)
    return (
        unbroadcast(dy, x) if ctx.needs[0] else None,
        unbroadcast(scaled, y) if ctx.needs[1] else None,
    )


@add.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dx = dy, d other = alpha·dy"""
    x, y, alpha = ctx.saved
    scaled = dy if alpha == 1 or not ctx.needs[1] else dy * alpha
    return fitted(dy, x) if ctx.needs[0] else None, fitted(scaled, y) if ctx.needs[1] else None


def factor(op: str, alpha: Any, y: Array) -> float:
    """The factor of an operand; raise RuntimeError for a float beside integers or booleans."""
    result: float = option(op, "alpha", alpha)
    if isinstance(result, float) and y.dtype.kind != "f":
        raise RuntimeError(f"{op}: alpha must be an integer for operands of {y.dtype}, got {result}")
    return result


def times(x: Array, factor: float) -> Array:
    """x·factor, in x's dtype."""
    if is_real(x):
        return kernels.mul(x, kernels.number(factor, x.dtype))
    return x * as_array(factor).astype(x.dtype)


@op
def sub(ctx: Node, input: Any, other: Any, *, alpha: float = 1) -> Array:
    """Subtract two tensors: y = input − alpha·other.

    Args:
        input: a tensor or a number.
        other: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.
        alpha: the factor of other.

    Raises:
        RuntimeError: for booleans.
    """
    if is_boolean(input) or is_boolean(other):
        raise RuntimeError("sub: booleans can't be subtracted, use logical_xor or ~")
    x, y = promoted(input, other)
    if type(alpha) is not int or alpha != 1:
        alpha = factor("sub", alpha, y)
        y = times(y, alpha)
    ctx.save(spec(input), spec(other), alpha)
    return kernels.sub(x, y) if is_real(x) else np.subtract(x, y)


@sub.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dx = dy, d other = −alpha·dy"""
    x, y, alpha = ctx.saved
    return (
        unbroadcast(dy, x) if ctx.needs[0] else None,
        times(unbroadcast(dy, y), -alpha) if ctx.needs[1] else None,
    )


@sub.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dx = dy, d other = −alpha·dy"""
    x, y, alpha = ctx.saved
    return fitted(dy, x) if ctx.needs[0] else None, fitted(dy * -alpha, y) if ctx.needs[1] else None


@op
def mul(ctx: Node, input: Any, other: Any) -> Array:
    """Multiply two tensors: y = input·other.

    Args:
        input: a tensor or a number.
        other: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.
    """
    x, y = promoted(input, other)
    ctx.save(x if ctx.needs[1] else None, y if ctx.needs[0] else None, spec(input), spec(other))
    return product(x, y)


@mul.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dx = dy·other, d other = dy·input"""
    x, y, x_spec, y_spec = ctx.saved
    return (
        unbroadcast(product(dy, y), x_spec) if ctx.needs[0] else None,
        unbroadcast(product(dy, x), y_spec) if ctx.needs[1] else None,
    )


@mul.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dx = dy·other, d other = dy·input"""
    x, y, x_spec, y_spec = ctx.saved
    return (
        fitted(dy * operand(ctx, 1, y, y_spec), x_spec) if ctx.needs[0] else None,
        fitted(dy * operand(ctx, 0, x, x_spec), y_spec) if ctx.needs[1] else None,
    )


def operand(ctx: Node, number: int, saved: Array, given: Spec | None) -> Tensor:
    """An operand in the dtype to which it was promoted; `given` is its spec before that."""
    return ctx.input(number, saved, None if given is None else given[1])


@op
def div(ctx: Node, input: Any, other: Any, *, rounding_mode: str | None = None) -> Array:
    """Divide two tensors: y = input/other. Without a rounding mode, integers give float32.

    Args:
        input: a tensor or a number.
        other: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.
        rounding_mode: "floor" rounds the quotient down, "trunc" toward zero, and integers stay integers; None
            (default) does not round.

    Raises:
        ValueError: for another rounding mode.
        ZeroDivisionError: if integers are divided by zero with a rounding mode.

    >>> cg.div(cg.tensor([7, -7]), 2, rounding_mode="trunc")
    tensor([ 3, -3])
    """
    if rounding_mode not in (None, "floor", "trunc"):
        raise ValueError(f"div: rounding_mode must be None, floor or trunc, got {rounding_mode!r}")
    x, y = promoted(input, other)
    if rounding_mode is not None:
        refuse_booleans("div", x)
        ctx.save()
        return floor_quotient(x, y) if rounding_mode == "floor" else truncated_quotient(x, y)
    x, y = as_float(x), as_float(y)
    ctx.save(x if ctx.needs[1] else None, y, spec(input), spec(other))
    return quotient(x, y)


@div.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dx = dy/other, d other = −dy·input/other²; a rounded quotient is flat: zero"""
    if not ctx.saved:
        return None, None
    x, y, x_spec, y_spec = ctx.saved
    dx = quotient(dy, y)
    return (
        unbroadcast(dx, x_spec) if ctx.needs[0] else None,
        unbroadcast(negative(product(dx, quotient(x, y))), y_spec) if ctx.needs[1] else None,
    )


@div.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dx = dy/other, d other = −dy·input/other²; a rounded quotient is flat: zero"""
    if not ctx.saved:
        return None, None
    x, y, x_spec, y_spec = ctx.saved
    other = operand(ctx, 1, y, y_spec)
    dx = dy / other
    return (
        fitted(dx, x_spec) if ctx.needs[0] else None,
        fitted(-dx * (operand(ctx, 0, x, x_spec) / other), y_spec) if ctx.needs[1] else None,
    )


def floor_quotient(x: Array, y: Array) -> Array:
    """⌊x/y⌋"""
    check_integer_divisor("div", x, y)
    with np.errstate(all="ignore"):
        return np.floor_divide(x, y)


def truncated_quotient(x: Array, y: Array) -> Array:
    """x/y rounded toward zero"""
    check_integer_divisor("div", x, y)
    with np.errstate(all="ignore"):
        if x.dtype.kind == "f":
            return np.trunc(x / y)
        quotient = np.floor_divide(x, y)
        return quotient + ((np.remainder(x, y) != 0) & ((x < 0) != (y < 0)))


def check_integer_divisor(name: str, x: Array, y: Array) -> None:
    """Raise ZeroDivisionError if integers are divided by zero."""
    if x.dtype.kind in "iu" and not np.all(y):
        raise ZeroDivisionError(f"{name}: division of integers by zero")


@op
def floor_divide(ctx: Node, input: Any, other: Any) -> Array:
    """Divide and round down: y = ⌊input/other⌋. It has no gradient.

    Args:
        input: a tensor or a number.
        other: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.

    Raises:
        ZeroDivisionError: if integers are divided by zero.
    """
    x, y = promoted(input, other)
    refuse_booleans("floor_divide", x)
    return floor_quotient(x, y)


@op
def remainder(ctx: Node, input: Any, other: Any) -> Array:
    """Return the remainder with the sign of the divisor, as Python's %: y = input − other·⌊input/other⌋.

    Args:
        input: a tensor or a number.
        other: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.

    Raises:
        ZeroDivisionError: if integers are divided by zero.
    """
    x, y = promoted(input, other)
    refuse_booleans("remainder", x)
    check_integer_divisor("remainder", x, y)
    ctx.save(x, y, spec(input), spec(other))
    with np.errstate(all="ignore"):
        if x.dtype.kind != "f":
            return np.remainder(x, y)
        rest = np.fmod(x, y)  # np.remainder's zero has the sign of the divisor, PyTorch's that of the dividend
        return np.where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest)


@remainder.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dx = dy, d other = −dy·⌊input/other⌋"""
    x, y, x_spec, y_spec = ctx.saved
    return (
        unbroadcast(dy, x_spec) if ctx.needs[0] else None,
        unbroadcast(-dy * np.floor_divide(x, y), y_spec) if ctx.needs[1] else None,
    )


@remainder.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dx = dy, d other = −dy·⌊input/other⌋"""
    x, y, x_spec, y_spec = ctx.saved
    return (
        fitted(dy, x_spec) if ctx.needs[0] else None,
        fitted(-dy * (constant(x) // constant(y)), y_spec) if ctx.needs[1] else None,
    )


@op
def fmod(ctx: Node, input: Any, other: Any) -> Array:
    """Return the remainder with the sign of the dividend, as C's fmod: y = input − other·trunc(input/other).

    Args:
        input: a tensor or a number.
        other: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.

    Raises:
        ZeroDivisionError: if integers are divided by zero.
    """
    x, y = promoted(input, other)
    refuse_booleans("fmod", x)
    check_integer_divisor("fmod", x, y)
    ctx.save(x, y, spec(input), spec(other))
    with np.errstate(all="ignore"):
        return np.fmod(x, y)


@fmod.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dx = dy, d other = −dy·trunc(input/other)"""
    x, y, x_spec, y_spec = ctx.saved
    return (
        unbroadcast(dy, x_spec) if ctx.needs[0] else None,
        unbroadcast(-dy * np.trunc(x / y), y_spec) if ctx.needs[1] else None,
    )


@fmod.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dx = dy, d other = −dy·trunc(input/other)"""
    x, y, x_spec, y_spec = ctx.saved
    return (
        fitted(dy, x_spec) if ctx.needs[0] else None,
        fitted(-dy * (constant(x) / constant(y)).trunc(), y_spec) if ctx.needs[1] else None,
    )


@op
def pow(ctx: Node, input: Any, exponent: Any) -> Array:
    """Raise to a power: y = input^exponent.

    Args:
        input: a tensor or a number.
        exponent: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.

    Raises:
        RuntimeError: if integers are raised to a negative number.
    """
    x, y = promoted(input, exponent)
    refuse_booleans("pow", x)
    if x.dtype.kind in "iu" and isinstance(exponent, int) and exponent < 0:
        raise RuntimeError("pow: integers can't be raised to negative integer powers")
    if isinstance(exponent, (int, float)) and exponent == 2:
        result = kernels.mul(x, x) if is_real(x) else x * x
    else:
        with np.errstate(all="ignore"):
            result = power(x, y, is_number=not isinstance(exponent, np.ndarray))
        if result is x:  # a new tensor, which in-place writes to the input leave alone
            result = x.copy()
    ctx.save(x, y, result if ctx.needs[1] else None, spec(input), spec(exponent))
    return result


def power(x: Array, y: Array, is_number: bool) -> Array:
    """xʸ, as in PyTorch: an exponent that was a number, no tensor, gives x or a root if it is 1 or ±½. (−∞)^½ is NaN
    then, else ∞."""
    if is_number and x.dtype.kind == "f":
        if y == 1:
            return x
        if y == 0.5 or y == -0.5:
            root = np.asarray(np.sqrt(x))
            return root if y > 0 else np.reciprocal(root)
    elif x.dtype.kind == "f":
        halves = np.abs(y) == 0.5
        if halves.any():  # NumPy may take the root
            x = np.where(halves & ((x == 0) | (x == -np.inf)), np.abs(x), x)
    if x.dtype.kind == "i" and (y < 0).any():  # 1/xⁿ, rounded toward zero
        power = np.power(x, np.abs(y))
        return np.where(y < 0, np.where(np.abs(x) == 1, power, 0), power)
    return np.power(x, y)


@pow.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dx = dy·y·x^(y−1), 0 where y is 0; dy = dy·x^y·log x, 0 where x is 0 and y ≥ 0"""
    x, y, result, x_spec, y_spec = ctx.saved
    dx = d_exponent = None
    with np.errstate(all="ignore"):
        if ctx.needs[0]:
            slope = y * power(x, y - 1, is_number=y_spec is None)
            dx = dy * slope
            if y.ndim or y == 0:
                dx = np.where(y == 0, dy.dtype.type(0), dx)
            dx = unbroadcast(dx, x_spec)
        if ctx.needs[1]:
            slope = np.where((x == 0) & (y >= 0), 0, result * np.log(x))
            d_exponent = unbroadcast((dy * slope).astype(dy.dtype), y_spec)
    return dx, d_exponent


@pow.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dx = dy·y·x^(y−1), 0 where y is 0; dy = dy·x^y·log x, 0 where x is 0 and y ≥ 0"""
    base, power, result, x_spec, y_spec = ctx.saved
    x, y = operand(ctx, 0, base, x_spec), operand(ctx, 1, power, y_spec)
    dx = d_exponent = None
    if ctx.needs[0]:
        if y_spec is None:  # a number keeps roots and squares exact
            n = float(power)
            dx = dy * (n * x ** (n - 1)) if n else dy.masked_fill(constant(power) == 0, 0)
        else:
            dx = (dy * (y * x ** (y - 1))).masked_fill(constant(power) == 0, 0)
        dx = fitted(dx, x_spec)
    if ctx.needs[1]:
        zero = (constant(base) == 0) & (constant(power) >= 0)
        d_exponent = fitted((dy * ctx.output(result) * x.log()).masked_fill(zero, 0), y_spec)
    return dx, d_exponent


def selected_gradient(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """Pass the gradient to the operand that was selected, half to each where they are equal, and all to both where one
    is NaN."""
    x, y, x_loses, y_loses, x_spec, y_spec = ctx.saved
    shared = np.where(x == y, dy * dy.dtype.type(0.5), dy)
    zero = dy.dtype.type(0)
    return (
        unbroadcast(np.where(x_loses, zero, shared), x_spec) if ctx.needs[0] else None,
        unbroadcast(np.where(y_loses, zero, shared), y_spec) if ctx.needs[1] else None,
    )


def selected_definition(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """As ``selected_gradient``."""
    x, y, x_loses, y_loses, x_spec, y_spec = ctx.saved
    shared = where(constant(x) == constant(y), dy * 0.5, dy)
    return (
        fitted(shared.masked_fill(constant(x_loses), 0), x_spec) if ctx.needs[0] else None,
        fitted(shared.masked_fill(constant(y_loses), 0), y_spec) if ctx.needs[1] else None,
    )


@op
def maximum(ctx: Node, input: Any, other: Any) -> Array:
    """Return the larger of two elements, NaN where one is NaN. Equal elements share the gradient.

    Args:
        input: a tensor or a number.
        other: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.
    """
    x, y = promoted(input, other)
    ctx.save(x, y, x < y, x > y, spec(input), spec(other))
    return np.maximum(x, y)


maximum.gradient(selected_gradient)
maximum.definition(selected_definition)


@op
def minimum(ctx: Node, input: Any, other: Any) -> Array:
    """Return the smaller of two elements, NaN where one is NaN. Equal elements share the gradient.

    Args:
        input: a tensor or a number.
        other: a tensor or a number; the two shapes are broadcast, the dtypes promoted as in PyTorch.
    """
    x, y = promoted(input, other)
    ctx.save(x, y, x > y, x < y, spec(input), spec(other))
    return np.minimum(x, y)


minimum.gradient(selected_gradient)
minimum.definition(selected_definition)


@op
def atan2(ctx: Node, input: Any, other: Any) -> Array:
    """Return the angle of the point (other, input), in radians from −π to π.

    Args:
        input: a tensor or a number, the ordinate.
        other: a tensor or a number, the abscissa; the two shapes are broadcast.
    """
    x, y = promoted(input, other)
    x, y = as_float(x), as_float(y)
    ctx.save(x, y, spec(input), spec(other))
    return np.arctan2(x, y)


@atan2.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, Array | None]:
    """dx = dy·other/r², d other = −dy·input/r², r² = input² + other²; 0 where both are 0"""
    x, y, x_spec, y_spec = ctx.saved
    r = np.hypot(x, y)  # no square, which could overflow or vanish
    with np.errstate(all="ignore"):
        scaled = np.where(r == 0, dy.dtype.type(0), dy / r)
        r = np.where(r == 0, r.dtype.type(1), r)
        return (
            unbroadcast(scaled * (y / r), x_spec) if ctx.needs[0] else None,
            unbroadcast(-scaled * (x / r), y_spec) if ctx.needs[1] else None,
        )


@atan2.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """dx = dy·other/r², d other = −dy·input/r², r² = input² + other²; 0 where both are 0"""
    saved_x, saved_y, x_spec, y_spec = ctx.saved
    x, y = operand(ctx, 0, saved_x, x_spec), operand(ctx, 1, saved_y, y_spec)
    origin = (constant(saved_x) == 0) & (constant(saved_y) == 0)
    scaled = dy.masked_fill(origin, 0) / (x * x + y * y).masked_fill(origin, 1)
    return (
        fitted(scaled * y, x_spec) if ctx.needs[0] else None,
        fitted(-scaled * x, y_spec) if ctx.needs[1] else None,
    )


@op
def where(ctx: Node, condition: Any, input: Any, other: Any) -> Array:
    """Choose elements from two tensors: y = input where condition is true, else other.

    Args:
        condition: a tensor of booleans.
        input: a tensor or a number.
        other: a tensor or a number; the three shapes are broadcast, the dtypes of input and other promoted.

    Raises:
        TypeError: if the condition is not a tensor of booleans.
    """
    if not isinstance(condition, np.ndarray) or condition.dtype.kind != "b":
        got = getattr(condition, "dtype", type(condition).__name__)
        raise TypeError(f"where: condition must be a tensor of booleans, got {got}")
    x, y = promoted(input, other)
    ctx.save(np.array(condition), spec(input), spec(other))
    return np.where(condition, x, y)


@where.gradient
def _(ctx: Node, dy: Array) -> tuple[None, Array | None, Array | None]:
    """dx = dy where the condition is true, d other = dy where it is false"""
    condition, x, y = ctx.saved
    zero = dy.dtype.type(0)
    return (
        None,
        unbroadcast(np.where(condition, dy, zero), x) if ctx.needs[1] else None,
        unbroadcast(np.where(condition, zero, dy), y) if ctx.needs[2] else None,
    )


@where.definition
def _(ctx: Node, dy: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
    """dx = dy where the condition is true, d other = dy where it is false"""
    condition, x, y = ctx.saved
    return (
        None,
        fitted(dy.masked_fill(~constant(condition), 0), x) if ctx.needs[1] else None,
        fitted(dy.masked_fill(constant(condition), 0), y) if ctx.needs[2] else None,
    )


@op
def clamp(ctx: Node, input: Array, min: Any = None, max: Any = None) -> Array:
    """Limit elements to an interval: y = min(max(input, min), max). The gradient passes where the input lies in it.

    Args:
        input: a tensor.
        min: the lower bound, a number or a tensor; None for no bound.
        max: the upper bound, a number or a tensor; None for no bound. Where it is below min, the result is max.

    Raises:
        ValueError: if both bounds are None.
    """
    if min is None and max is None:
        raise ValueError("clamp: one of min and max must be given")
    bounds = [b for b in (min, max) if b is not None]
    dtype = result_type(input, *bounds)
    x = as_array(input, dtype)
    low = None if min is None else as_array(min, dtype)
    high = None if max is None else as_array(max, dtype)
    always = np.ones((), bool)
    inside = (always if low is None else x >= low) & (always if high is None else x <= high)
    under = ~always if low is None else x < low if high is None else (x < low) & (low < high)
    over = ~always if high is None else x > high if low is None else (x > high) | (low > high)
    ctx.save(*map(np.asarray, (inside, under, over)), spec(input), spec(min), spec(max))
    return limited(x, low, high)


def limited(x: Array, low: Array | None, high: Array | None) -> Array:
    """min(max(x, low), high), NaN where one of them is NaN; of two equal zeros x's sign stays."""
    y = x if low is None else np.where((x < low) | (low != low), low, x)
    return y if high is None else np.where((y > high) | (high != high), high, y)


@clamp.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
    """dx = dy·[min ≤ x ≤ max], d min = dy·[x < min < max], d max = dy·[x > max or min > max]; NaN lies nowhere"""
    inside, under, over, *specs = ctx.saved
    zero = dy.dtype.type(0)
    return tuple(
        unbroadcast(np.where(chosen, dy, zero), target) if wanted else None
        for wanted, chosen, target in zip(ctx.needs, (inside, under, over), specs)
    )


@clamp.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, ...]:
    """dx = dy·[min ≤ x ≤ max], d min = dy·[x < min < max], d max = dy·[x > max or min > max]"""
    inside, under, over, *specs = ctx.saved
    return tuple(
        fitted(dy.masked_fill(~constant(chosen), 0), target) if wanted else None
        for wanted, chosen, target in zip(ctx.needs, (inside, under, over), specs)
    )


@op
def hardtanh(ctx: Node, input: Array, *, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Limit elements to an interval, with no gradient at its ends: y = min(max(input, min_val), max_val).

    Args:
        input: a tensor of floats.
        min_val: the lower bound.
        max_val: the upper bound.
    """
    low, high = as_array(min_val, input.dtype), as_array(max_val, input.dtype)
    ctx.save(np.asarray((input <= low) | (input >= high)))
    return limited(input, low, high)


@hardtanh.gradient
def _(ctx: Node, dy: Array) -> Array:
    """dx = 0 where x ≤ min_val or x ≥ max_val, else dy"""
    (outside,) = ctx.saved
    return np.where(outside, dy.dtype.type(0), dy)


hardtanh.definition(self_adjoint(hardtanh))


@op
def lerp(ctx: Node, input: Any, end: Any, weight: Any) -> Array:
    """Interpolate linearly: y = input + weight·(end − input).

    Args:
        input: a tensor, the start.
        end: a tensor.
        weight: a tensor or a number; the three shapes are broadcast.
    """
    dtype = result_type(input, end, weight)
    x, y, w = as_array(input, dtype), as_array(end, dtype), as_array(weight, dtype)
    of_weight = ctx.needs[2]
    ctx.save(x if of_weight else None, y if of_weight else None, w, spec(input), spec(end), spec(weight))
    with np.errstate(all="ignore"):
        return np.where(np.abs(w) < 0.5, x + w * (y - x), y - (y - x) * (1 - w))  # the nearer end, so that both are met


@lerp.gradient
def _(ctx: Node, dy: Array) -> tuple[Array | None, ...]:
    """dx = (1 − weight)·dy, d end = weight·dy, d weight = (end − input)·dy"""
    x, y, w, x_spec, y_spec, w_spec = ctx.saved
    return (
        unbroadcast(dy * (1 - w), x_spec) if ctx.needs[0] else None,
        unbroadcast(dy * w, y_spec) if ctx.needs[1] else None,
        unbroadcast(dy * (y - x), w_spec) if ctx.needs[2] else None,
    )


@lerp.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor | None, ...]:
    """dx = (1 − weight)·dy, d end = weight·dy, d weight = (end − input)·dy"""
    arrays, specs = ctx.saved[:3], ctx.saved[3:]
    w = operand(ctx, 2, arrays[2], specs[2])
    return (
        fitted(dy * (1 - w), specs[0]) if ctx.needs[0] else None,
        fitted(dy * w, specs[1]) if ctx.needs[1] else None,
        fitted(dy * (operand(ctx, 1, arrays[1], specs[1]) - operand(ctx, 0, arrays[0], specs[0])), specs[2])
        if ctx.needs[2]
        else None,
    )


# Other names of PyTorch
subtract = sub
multiply = mul
divide = true_divide = div
clip = clamp
