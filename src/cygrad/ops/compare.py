"""Comparisons and logic: booleans as results, no gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import Node, Op, op
from cygrad.ops.broadcast import as_array, promoted

__all__ = [
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "eq",
    "ge",
    "gt",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
]


def documentation(summary: str, operands: str) -> str:
    """The docstring of a comparison."""
    return f"{summary} The result holds booleans or integers and has no gradient.\n\nArgs:\n{operands}"


TWO = """    input: a tensor or a number.
    other: a tensor or a number; the two shapes are broadcast.
"""
ONE = "    input: a tensor.\n"


def comparison(name: str, doc: str, function: Any) -> Op:
    """An op on two operands that gives booleans."""

    def forward(ctx: Node, input: Any, other: Any) -> Array:
        x, y = promoted(input, other)
        return np.asarray(function(x, y))

    forward.__name__, forward.__doc__, forward.__module__ = name, documentation(doc, TWO), __name__
    return op(forward)


eq = comparison("eq", "Compare elementwise: input = other.", np.equal)
ne = comparison("ne", "Compare elementwise: input ≠ other.", np.not_equal)
lt = comparison("lt", "Compare elementwise: input < other.", np.less)
le = comparison("le", "Compare elementwise: input ≤ other.", np.less_equal)
gt = comparison("gt", "Compare elementwise: input > other.", np.greater)
ge = comparison("ge", "Compare elementwise: input ≥ other.", np.greater_equal)
logical_and = comparison("logical_and", "Return elementwise whether both operands are true (nonzero).", np.logical_and)
logical_or = comparison(
    "logical_or", "Return elementwise whether at least one operand is true (nonzero).", np.logical_or
)
logical_xor = comparison(
    "logical_xor", "Return elementwise whether exactly one operand is true (nonzero).", np.logical_xor
)


def bitwise(name: str, doc: str, function: Any) -> Op:
    """An op on the bits of two operands."""

    def forward(ctx: Node, input: Any, other: Any) -> Array:
        x, y = promoted(input, other)
        if x.dtype.kind == "f":
            raise NotImplementedError(f"{name}: operands must hold integers or booleans, got {x.dtype}")
        return np.asarray(function(x, y))

    forward.__name__, forward.__doc__, forward.__module__ = name, documentation(doc, TWO), __name__
    return op(forward)


bitwise_and = bitwise("bitwise_and", "Return the bitwise and; of booleans, the logical and.", np.bitwise_and)
bitwise_or = bitwise("bitwise_or", "Return the bitwise or; of booleans, the logical or.", np.bitwise_or)
bitwise_xor = bitwise("bitwise_xor", "Return the bitwise exclusive or; of booleans, the logical one.", np.bitwise_xor)


bitwise_left_shift = bitwise("bitwise_left_shift", "Return input·2^other, for integers.", np.left_shift)
bitwise_right_shift = bitwise("bitwise_right_shift", "Return ⌊input/2^other⌋, for integers.", np.right_shift)


def predicate(name: str, doc: str, function: Any) -> Op:
    """An op on one operand that gives booleans."""

    def forward(ctx: Node, input: Any) -> Array:
        return np.asarray(function(as_array(input)))

    forward.__name__, forward.__doc__, forward.__module__ = name, documentation(doc, ONE), __name__
    return op(forward)


isnan = predicate("isnan", "Return elementwise whether x is NaN.", np.isnan)
isinf = predicate("isinf", "Return elementwise whether x is infinite.", np.isinf)
isfinite = predicate("isfinite", "Return elementwise whether x is neither infinite nor NaN.", np.isfinite)
logical_not = predicate("logical_not", "Return elementwise whether x is false (zero).", np.logical_not)


@op
def bitwise_not(ctx: Node, input: Array) -> Array:
    """Return the bitwise complement; of booleans, the logical not.

    Args:
        input: a tensor of integers or booleans.

    Raises:
        TypeError: for floats.
    """
    if input.dtype.kind == "f":
        raise TypeError(f"bitwise_not: input must hold integers or booleans, got {input.dtype}")
    return np.invert(input)
