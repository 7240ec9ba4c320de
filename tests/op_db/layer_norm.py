"""Rows of layer norm."""

from __future__ import annotations

import numpy as np

from cygrad.nn import functional as F
from tests import reference
from tests.op_db.row import Bad, Row, Sample

# (shape, how many of its axes are joined): rows around blocks of 32, columns around blocks of 4096 and vectors.
SHAPES = [
    ((1, 1), 1), ((3, 2), 1), ((31, 5), 1), ((32, 15), 1), ((33, 16), 1), ((65, 17), 1), ((2049, 3), 1), ((2, 63), 1),
    ((3, 4095), 1), ((2, 4096), 1), ((3, 4097), 1), ((7,), 1), ((2, 3, 4), 1), ((2, 3, 4), 2), ((2, 3, 4), 3),
    ((5, 2, 3, 4), 2), ((0, 3), 1), ((3, 0), 1), ((2, 0, 3), 2),
]  # fmt: skip


def samples(centre, at_least=0):
    def generate(rng, dtype):
        for n, (shape, joined) in enumerate(SHAPES):
            inner = shape[len(shape) - joined :]
            if np.prod(inner) < at_least:
                continue
            x = rng.normal(centre, 1, shape).astype(dtype)
            weight, bias = (rng.uniform(0.5, 2, inner).astype(dtype) for _ in range(2))
            eps = 1e-5 if np.prod(inner) > 5 else 0.5  # of a few numbers that are close hardly anything is left
            yield Sample(x, inner, weight, bias, eps)
            yield [
                Sample(x, inner, None, None, eps),
                Sample(x, inner, weight, None, eps),
                Sample(x, inner, None, bias, eps),
            ][n % 3]

    return generate


def meaning(x, inner, weight, bias, eps):
    return reference.layer_norm(x.reshape(int(np.prod(x.shape[: x.ndim - len(inner)])), -1) if x.size else x.reshape(0, 0),
                                weight, bias, eps)[0].reshape(x.shape)  # fmt: skip


def bad(shape, inner, error, match, **parameters):
    def call(cg):
        return F.layer_norm(cg.ones(shape), inner, **{k: cg.ones(v) for k, v in parameters.items()})

    return Bad(call, error, f"layer_norm: {match}")


ROWS = [
    Row(
        "layer_norm",
        F.layer_norm,
        samples(0),
        torch=lambda torch: torch.nn.functional.layer_norm,
        reference=meaning,
        kernels=("layer_norm", "layer_norm_backward", "sum"),
        atol={np.float32: 1e-5, np.float64: 1e-12},
        rtol={np.float32: 5e-5, np.float64: 1e-11},
        bad=(
            bad((2, 3), (4,), RuntimeError, r"input has shape \(2, 3\), which does not end in \(4,\)"),
            bad((3,), (2, 3), RuntimeError, r"input has shape \(3,\), which does not end in \(2, 3\)"),
            bad((2, 3), (), RuntimeError, r"input has shape \(2, 3\), which does not end in \(\)"),
            bad((2, 3), (3,), RuntimeError, r"weight has shape \(2,\), wanted \(3,\)", weight=(2,)),
            bad((2, 3), (3,), RuntimeError, r"bias has shape \(1, 3\), wanted \(3,\)", bias=(1, 3)),
            Bad(lambda cg: F.layer_norm(cg.ones(2, 3), (3,), cg.ones(3, dtype=cg.float64)), TypeError,
                "layer_norm: weight is float64, but input is float32"),
            Bad(lambda cg: F.layer_norm(cg.ones(2, 3).long(), (3,)), TypeError,
                "layer_norm: input must be float32 or float64, got int64"),
        ),
    ),
    Row(
        "layer_norm_far",
        F.layer_norm,
        samples(1e4, at_least=15),
        torch=lambda torch: torch.nn.functional.layer_norm,
        reference=meaning,
        kernels=("layer_norm",),
        differentiable=False,
        atol={np.float32: 8e-3, np.float64: 1e-8},
    ),
]  # fmt: skip
