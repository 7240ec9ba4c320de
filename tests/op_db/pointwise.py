"""Rows of functions of one number."""

from __future__ import annotations

import numpy as np

from tests import reference
from tests.op_db.row import EDGE_SIZES, Bad
from tests.op_db.samples import above_one, drawn, positive, same, signed, unit

SHAPES = [((),), ((0, 3),), ((7,),), ((3, 5),), ((2, 3, 4),)]
EDGES = [((n,),) for n in EDGE_SIZES]


def row(name, draw=signed, kernel=False, **columns):
    """A function of that name in both libraries."""
    if kernel:
        columns = {
            "reference": getattr(reference, name), "kernels": (name, f"{name}_backward"),
            "rtol": {np.float32: 5e-5, np.float64: 1e-10}, **columns,
        }  # fmt: skip
    shapes = EDGES + SHAPES if kernel else SHAPES
    return same(name, lambda library, x: getattr(library, name)(x), drawn(*shapes, draw=draw), **columns)


def refuses_booleans(name, message):
    return (Bad(lambda cg: getattr(cg, name)(cg.tensor([True])), RuntimeError, message),)


ROWS = [
    row("exp", kernel=True), row("log", positive, kernel=True), row("erf", kernel=True),
    *[row(name, kernel=True, kernels=("sine", "sine_backward")) for name in ("sin", "cos")],
    *[row(name, positive) for name in ("sqrt", "rsqrt", "log1p", "log2", "log10")],
    *[row(name) for name in ("square", "reciprocal", "exp2", "expm1", "atan", "sinh", "cosh", "asinh")],
    *[row(name, unit) for name in ("tan", "asin", "acos", "atanh")],
    row("acosh", above_one), row("lgamma", positive), row("digamma", positive, rtol={np.float32: 2e-5, np.float64: 1e-8}), row("erfinv", unit), *[row(name) for name in ("erfc", "i0")],
    row("neg", bad=refuses_booleans("neg", "neg: booleans can.t be negated")),
    *[row(name) for name in ("abs", "sign", "floor", "ceil", "trunc", "round", "frac", "nan_to_num")],
    *[row(name, differentiable=False) for name in ("isnan", "isinf", "isfinite", "logical_not")],
]  # fmt: skip
