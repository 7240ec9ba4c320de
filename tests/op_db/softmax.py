"""Rows of softmax and log-softmax."""

from __future__ import annotations

import numpy as np

from cygrad.nn import functional as F
from tests import reference
from tests.op_db.row import EDGE_SIZES, Bad, Row, Sample


def along_any_axis(rng, dtype):
    """Rows of every edge size, every axis of up to four dimensions, nothing at all, and scores far from zero."""
    for cols in EDGE_SIZES:
        yield Sample(rng.uniform(-3, 3, (3, cols)).astype(dtype), dim=-1)
    for shape in [(), (5,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (0, 3), (3, 0), (2, 0, 3), (300, 17)]:
        for dim in range(max(1, len(shape))):
            yield Sample(np.asarray(rng.uniform(-3, 3, shape), dtype), dim=dim)
    yield Sample((rng.uniform(-3, 3, (4, 33)) + [[1000], [-1000], [80], [-80]]).astype(dtype), dim=1)


def infinities(rng, dtype):
    """−∞ in a row masks a number; a row of −∞, one with +∞ and one with NaN have no softmax: NaN."""
    for cols in (1, 3, 8, 17, 65):
        x = rng.uniform(-3, 3, (5, cols)).astype(dtype)
        x[0, :-1], x[1, :], x[2, cols // 2], x[3, 0] = -np.inf, -np.inf, np.inf, np.nan
        yield Sample(x)


def moved(function):
    """function, which works along the last axis, along dim."""

    def along(x, dim):
        return np.moveaxis(function(np.moveaxis(x, dim, -1)), -1, dim) if x.ndim else function(x[None])[0]

    return along


def bad(function):
    name = function.__name__
    return (
        Bad(lambda cg: function(cg.ones(2, 3), 2), IndexError, rf"{name}: .*2.*"),
        Bad(lambda cg: function(cg.ones(2, 3)), TypeError, f"{name}: dim must be given"),
        Bad(
            lambda cg: function(cg.tensor([1, 2]), 0), TypeError, f"{name}: input must be float32 or float64, got int64"
        ),
    )


ROWS = [
    Row(
        "softmax",
        F.softmax,
        along_any_axis,
        torch=lambda torch: torch.nn.functional.softmax,
        reference=moved(reference.softmax),
        kernels=("softmax", "softmax_backward"),
        bad=bad(F.softmax),
    ),
    Row(
        "log_softmax",
        F.log_softmax,
        along_any_axis,
        torch=lambda torch: torch.nn.functional.log_softmax,
        reference=moved(reference.log_softmax),
        kernels=("log_softmax", "log_softmax_backward"),
        atol={np.float32: 5e-6, np.float64: 1e-12},  # the gradient is a difference of numbers around Σ dy·eʸ
        bad=bad(F.log_softmax),
    ),
    Row(
        "softmax_infinities",
        lambda x: (F.softmax(x, -1), F.log_softmax(x, -1)),
        infinities,
        torch=lambda torch: lambda x: (x.softmax(-1), x.log_softmax(-1)),
        reference=lambda x: (reference.softmax(x), reference.log_softmax(x)),
        kernels=("softmax", "log_softmax"),
        differentiable=False,
    ),
]
