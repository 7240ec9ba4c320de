"""Rows of arithmetic, choice and comparison of two operands."""

from __future__ import annotations

import numpy as np

from tests import reference
from tests.op_db.row import Bad, Sample
from tests.op_db.samples import distinct, drawn, positive, same, signed

# Every way in which two shapes meet: equal, a number, a row, a column, both, mixed, new axes, nothing at all; sizes
# around a block.
PAIRS = [
    ((5,), (5,)), ((4097,), (4097,)), ((3, 4), ()), ((), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 1), (3, 4)),
    ((3, 4), (3, 1)), ((3, 1), (1, 4)), ((3, 1, 2), (1, 4, 1)), ((2, 3, 4), (3, 1)), ((2, 1, 4), (2, 3, 1)),
    ((0, 3), (3,)), ((1,), (0,)), ((3, 5000), (5000,)), ((5000, 3), (5000, 1)),
]  # fmt: skip


# Pairs that a kernel takes slice by slice, or that have too many slices.
SLICED = [
    ((3, 5, 2), (3, 1, 2)), ((3, 1, 2), (3, 5, 2)), ((3, 5, 1, 2), (3, 1, 4, 2)), ((70, 2, 3), (70, 1, 3)), ((2, 0, 3), (2, 1, 3)),
]  # fmt: skip


def not_broadcast(name):
    return (
        Bad(lambda cg: getattr(cg, name)(cg.ones(2), cg.ones(3)), ValueError, r"shapes \(2,\) and \(3,\)"),
    )  # fmt: skip


def numbers(rng, dtype):
    """A tensor and a Python number, whole or not."""
    for number in (2, -1.5, 3.0):
        yield Sample(positive(rng, (3, 4), dtype), number)


def row(name, draw=signed, pairs=PAIRS, **columns):
    return same(name, lambda library, x, y: getattr(library, name)(x, y), drawn(*pairs, draw=draw), **columns)


def with_number(name, **columns):
    return same(f"{name}_number", lambda library, x, n: getattr(library, name)(x, n), numbers, **columns)


def kernel_row(name):
    return row(
        name, pairs=PAIRS + SLICED, reference=getattr(reference, name), kernels=(name,), bad=not_broadcast(name),
        rtol={np.float32: 1e-4, np.float64: 1e-11}, atol={np.float32: 2e-5, np.float64: 1e-12},
    )  # fmt: skip


def powers(rng, dtype):
    for exponent in (2, 3, 0.5, -1, 0, -2.5):
        yield Sample(positive(rng, (3, 4), dtype), exponent)


def conditions(rng, dtype):
    for (a, b), shape in zip(PAIRS[:6], [(5,), (4097,), (3, 4), (4,), (3, 1), ()]):
        yield Sample(np.asarray(rng.random(shape) < 0.5), signed(rng, a, dtype), signed(rng, b, dtype))


def truths(rng, dtype):
    yield Sample(np.asarray(rng.random((3, 4)) < 0.5))


MASKED = (
    Bad(lambda cg: cg.where(cg.ones(2), cg.ones(2), 0.0), TypeError, "where: condition must be a tensor of booleans"),
)

ROWS = [
    kernel_row("add"), kernel_row("sub"), kernel_row("mul"), kernel_row("div"),
    with_number("add"), with_number("sub"), with_number("mul"), with_number("div"),
    same("add_alpha", lambda library, x, y: library.add(x, y, alpha=2.5), drawn(*PAIRS[:6])),
    same("sub_alpha", lambda library, x, y: library.sub(x, y, alpha=-2), drawn(*PAIRS[:6])),
    same("number_minus", lambda library, x, n: n - x, numbers),
    same("number_over", lambda library, x, n: n / x, numbers),
    same("number_to_the_power", lambda library, x, n: abs(n) ** x, numbers),
    row("pow", positive), same("pow_number", lambda library, x, n: x**n, powers),
    row("maximum", distinct), row("minimum", distinct), row("atan2"),
    row("remainder", positive, differentiable=False), row("fmod", positive, differentiable=False),
    row("floor_divide", positive, differentiable=False),
    with_number("remainder"), with_number("fmod"),
    same("div_floor", lambda library, x, y: library.div(x, y, rounding_mode="floor"), drawn(*PAIRS[:6]), differentiable=False),
    same("div_trunc", lambda library, x, y: library.div(x, y, rounding_mode="trunc"), drawn(*PAIRS[:6]), differentiable=False,
         bad=(Bad(lambda cg: cg.div(cg.ones(1), 2.0, rounding_mode="up"), ValueError, "rounding_mode must be None, floor or"),
              Bad(lambda cg: cg.div(cg.tensor([1]), 0, rounding_mode="floor"), ZeroDivisionError, "division of integers"))),
    same("where", lambda library, c, x, y: library.where(c, x, y), conditions, bad=MASKED),
    same("where_number", lambda library, x: library.where(x > 0, x, 0.5), drawn(((3, 4),))),
    same("clamp", lambda library, x: library.clamp(x, -0.95, 1.05), drawn(((),), ((0,),), ((9,),), ((3, 5),)),
         bad=(Bad(lambda cg: cg.clamp(cg.ones(2)), ValueError, "clamp: one of min and max must be given"),)),
    same("clamp_below", lambda library, x: x.clamp(min=0.05), drawn(((3, 5),))),
    same("clamp_above", lambda library, x: x.clamp(max=0.05), drawn(((3, 5),))),
    same("clamp_tensors", lambda library, x, low, high: library.clamp(x, low, high),
         drawn(((3, 5), (5,), (3, 1)), draw=(signed, lambda *a: -positive(*a), positive))),
    same("lerp", lambda library, x, y, w: library.lerp(x, y, w), drawn(((3, 4), (3, 4), (3, 4)), ((3, 4), (4,), (3, 1)))),
    same("lerp_number", lambda library, x, y: library.lerp(x, y, 0.3), drawn(((3, 4), (3, 4)))),
    *[row(name, distinct, differentiable=False) for name in ("eq", "ne", "lt", "le", "gt", "ge")],
    *[row(name, differentiable=False) for name in ("logical_and", "logical_or", "logical_xor")],
    *[same(name, lambda library, x, y, name=name: getattr(library, name)(x > 0, y > 0), drawn(*PAIRS[:6]), differentiable=False)
      for name in ("bitwise_and", "bitwise_or", "bitwise_xor")],
    same("bitwise_not", lambda library, x: ~x, truths, differentiable=False,
         bad=(Bad(lambda cg: ~cg.ones(1), TypeError, "bitwise_not: input must hold integers or booleans, got float32"),)),
]  # fmt: skip
