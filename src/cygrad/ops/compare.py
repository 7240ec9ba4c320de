"""Comparisons and logic: booleans out, no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import Node, Op, op
from cygrad.ops.broadcast import as_array, promoted


def comparison(name: str, doc: str, function: Any) -> Op:
    def forward(ctx: Node, input: Any, other: Any) -> Array:
        x, y = promoted(input, other)
        return np.asarray(function(x, y))

    forward.__name__, forward.__doc__, forward.__module__ = name, doc, __name__
    return op(forward)


eq = comparison("eq", "input = other, elementwise", np.equal)
ne = comparison("ne", "input ≠ other, elementwise", np.not_equal)
lt = comparison("lt", "input < other, elementwise", np.less)
le = comparison("le", "input ≤ other, elementwise", np.less_equal)
gt = comparison("gt", "input > other, elementwise", np.greater)
ge = comparison("ge", "input ≥ other, elementwise", np.greater_equal)
logical_and = comparison("logical_and", "Whether both are true (not zero), elementwise", np.logical_and)
logical_or = comparison("logical_or", "Whether one is true (not zero), elementwise", np.logical_or)
logical_xor = comparison("logical_xor", "Whether just one is true (not zero), elementwise", np.logical_xor)


def bitwise(name: str, doc: str, function: Any) -> Op:
    def forward(ctx: Node, input: Any, other: Any) -> Array:
        x, y = promoted(input, other)
        if x.dtype.kind == "f":
            raise TypeError(f"{name}: operands must hold integers or booleans, got {x.dtype}")
        return np.asarray(function(x, y))

    forward.__name__, forward.__doc__, forward.__module__ = name, doc, __name__
    return op(forward)


bitwise_and = bitwise("bitwise_and", "The bits that both have; for booleans, and", np.bitwise_and)
bitwise_or = bitwise("bitwise_or", "The bits that one has; for booleans, or", np.bitwise_or)
bitwise_xor = bitwise("bitwise_xor", "The bits that just one has; for booleans, either but not both", np.bitwise_xor)


def test(name: str, doc: str, function: Any) -> Op:
    def forward(ctx: Node, input: Any) -> Array:
        return np.asarray(function(as_array(input)))

    forward.__name__, forward.__doc__, forward.__module__ = name, doc, __name__
    return op(forward)


isnan = test("isnan", "Whether it is NaN, elementwise", np.isnan)
isinf = test("isinf", "Whether it is infinite, elementwise", np.isinf)
isfinite = test("isfinite", "Whether it is neither infinite nor NaN, elementwise", np.isfinite)
logical_not = test("logical_not", "Whether it is zero (false), elementwise", np.logical_not)


@op
def bitwise_not(ctx: Node, input: Array) -> Array:
    """The other bits; for booleans, not."""
    if input.dtype.kind == "f":
        raise TypeError(f"bitwise_not: input must hold integers or booleans, got {input.dtype}")
    return np.invert(input)
