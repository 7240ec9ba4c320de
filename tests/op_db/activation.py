"""Rows of the activations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import cygrad as cg
from cygrad import _kernels as kernels
from tests import reference
from tests.op_db.row import EDGE_SIZES, Bad, Sample
from tests.op_db.samples import same

F = cg.nn.functional


def elementwise(rng, dtype):
    """Arrays of every edge size and of one to three dimensions, away from zero, where ReLU and others bend."""
    for shape in [*((n,) for n in EDGE_SIZES), (), (3, 5), (2, 3, 4), (0, 3)]:
        x = rng.uniform(0.1, 3.0, shape) * rng.choice([-1, 1], shape)
        yield Sample(np.asarray(x, dtype))


def row(name, kernel, function=None, *params, reference_of=None, torch_options=None, **options):
    """An activation of the functional forms. `params` are those of its kernel, `options` those of its call."""
    name_there = function or name

    def call(library, x):
        return getattr(library.nn.functional, name_there)(x, **options)

    oracle = getattr(reference, kernel)
    return same(
        name, call, elementwise,
        reference=reference_of or (lambda x: oracle(x, *params)),
        kernels=(kernel, slope if hasattr(reference, slope := f"{kernel}_with_slope") else f"{kernel}_backward"),
        bad=(
            Bad(
                lambda cg: getattr(cg.nn.functional, name_there)(cg.tensor([1, 2]), **options), TypeError,
                f"{kernel}: input must be float32 or float64, got int64",
            ),
        ),
        rtol={np.float32: 5e-5, np.float64: 1e-10}, atol={np.float32: 2e-6, np.float64: 1e-11},
    )  # fmt: skip


def composite(name, function, **options):
    """An activation made of other ops."""
    return same(name, lambda library, x: getattr(library.nn.functional, function)(x, **options), elementwise,
                rtol={np.float32: 1e-4, np.float64: 1e-10}, atol={np.float32: 2e-6, np.float64: 1e-11})  # fmt: skip


def large(rng, dtype):
    """Of which ReLU keeps a mask."""
    x = rng.uniform(0.1, 3.0, (257, 259)) * rng.choice([-1, 1], (257, 259))
    yield Sample(np.asarray(x, dtype))


ROWS = [
    row("relu", "relu"),
    replace(
        row("relu_large", "relu", "relu"), samples=large, kernels=("relu_masked", "relu_masked_backward"),
        bad=(
            Bad(
                lambda cg: kernels.relu_masked_backward(np.ones(3, np.float32), np.ones(8, np.uint64)), ValueError,
                r"relu: gradient is float32 of shape \(3,\), but the mask is uint64 of \(8,\)",
            ),
        ),
    ),
    row("leaky_relu", "leaky_relu", None, 0.01),
    row("leaky_relu_steep", "leaky_relu", "leaky_relu", 0.5, negative_slope=0.5),
    row("elu", "elu", None, 1.0, 1.0),
    row("elu_alpha", "elu", "elu", 2.0, 1.0, alpha=2.0),
    row("selu", "elu", "selu", 1.6732632423543772, 1.0507009873554805),
    row("gelu", "gelu"),
    row("gelu_tanh", "gelu_tanh", "gelu", approximate="tanh"),
    row("silu", "silu"),
    row("sigmoid", "sigmoid"),
    row("tanh", "tanh"),
    row("softplus", "softplus", None, 1.0, 20.0),
    row("softplus_steep", "softplus", "softplus", 3.0, 4.0, beta=3.0, threshold=4.0),
    composite("mish", "mish"),
    composite("logsigmoid", "logsigmoid"),
    composite("softsign", "softsign"),
    composite("hardtanh", "hardtanh", min_val=-0.95, max_val=1.05),
    composite("relu6", "relu6"),
]
