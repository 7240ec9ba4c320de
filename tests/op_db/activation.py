"""Rows of the activations; the meaning of each in NumPy is in its row."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

import cygrad as cg
from cygrad import _kernels as kernels
from tests.op_db.row import EDGE_SIZES, Bad, Sample
from tests.op_db.samples import same

F = cg.nn.functional


def elementwise(rng, dtype):
    """Arrays of every edge size and of up to three dimensions, away from zero, where ReLU and others have a kink."""
    for shape in [*((n,) for n in EDGE_SIZES), (), (3, 5), (2, 3, 4), (0, 3)]:
        x = rng.uniform(0.1, 3.0, shape) * rng.choice([-1, 1], shape)
        yield Sample(np.asarray(x, dtype))


def sigma(x):
    return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))


erfc = np.vectorize(math.erfc, otypes=[np.float64])


def elu(x, alpha=1.0, scale=1.0):
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(beta * x > threshold, x, np.log1p(np.exp(beta * x)) / beta)


def row(name, reference, kernel=None, function=None, **options):
    """An activation of nn.functional, named `name` unless `function` is given, with its meaning in float64. `options` are
    those of the call; the kernel is named like the function unless `kernel` is given."""
    function = function or name
    kernel = kernel or function

    def call(library, x):
        return getattr(library.nn.functional, function)(x, **options)

    def rounded(x):
        with np.errstate(all="ignore"):
            return np.asarray(reference(np.asarray(x, np.float64)), x.dtype)

    with_slope = f"{kernel}_with_slope"
    return same(
        name, call, elementwise,
        reference=rounded,
        kernels=(kernel, with_slope if hasattr(kernels, with_slope) else f"{kernel}_backward"),
        bad=() if name in ("relu", "sigmoid", "tanh") else (
            Bad(
                lambda cg: getattr(cg.nn.functional, function)(cg.tensor([1, 2]), **options), TypeError,
                f"{kernel}: input must be float32 or float64, got int64",
            ),
        ),
        rtol={np.float32: 5e-5, np.float64: 1e-10}, atol={np.float32: 2e-6, np.float64: 1e-11},
    )  # fmt: skip


def composite(name, function, **options):
    """An activation composed of other ops."""
    return same(name, lambda library, x: getattr(library.nn.functional, function)(x, **options), elementwise,
                rtol={np.float32: 1e-4, np.float64: 1e-10}, atol={np.float32: 2e-6, np.float64: 1e-11})  # fmt: skip


def large(rng, dtype):
    """Large enough that ReLU saves a mask."""
    x = rng.uniform(0.1, 3.0, (257, 259)) * rng.choice([-1, 1], (257, 259))
    yield Sample(np.asarray(x, dtype))


ROWS = [
    row("relu", lambda x: np.maximum(x, 0)),
    replace(
        row("relu_large", lambda x: np.maximum(x, 0), function="relu"), samples=large,
        kernels=("relu_masked", "relu_masked_backward"),
        bad=(
            Bad(
                lambda cg: kernels.relu_masked_backward(np.ones(3, np.float32), np.ones(8, np.uint64)), ValueError,
                r"relu: gradient is float32 of shape \(3,\), but the mask is uint64 of \(8,\)",
            ),
        ),
    ),
    row("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
    row("leaky_relu_steep", lambda x: np.where(x > 0, x, 0.5 * x), function="leaky_relu", negative_slope=0.5),
    row("elu", elu),
    row("elu_alpha", lambda x: elu(x, 2.0), function="elu", alpha=2.0),
    row("selu", lambda x: elu(x, 1.6732632423543772, 1.0507009873554805), kernel="elu"),
    row("gelu", lambda x: x * 0.5 * erfc(-x / math.sqrt(2))),
    row(
        "gelu_tanh", lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        kernel="gelu_tanh", function="gelu", approximate="tanh",
    ),
    row("silu", lambda x: x * sigma(x)),
    row("mish", lambda x: x * np.tanh(softplus(x, threshold=np.inf))),
    row("sigmoid", sigma),
    row("tanh", np.tanh),
    row("softplus", softplus),
    row("softplus_steep", lambda x: softplus(x, 3.0, 4.0), function="softplus", beta=3.0, threshold=4.0),
    composite("logsigmoid", "logsigmoid"),
    composite("softsign", "softsign"),
    composite("hardtanh", "hardtanh", min_val=-0.95, max_val=1.05),
    composite("relu6", "relu6"),
]  # fmt: skip
