"""Rows of batch norm. Running statistics are made from the number of channels: they need no gradient."""

from __future__ import annotations

import numpy as np

import cygrad as cg
from cygrad.nn import functional as F
from tests import reference
from tests.op_db.row import Bad, Row, Sample

# Rows around runs of 32, channels around blocks of 256, lines around blocks of 4096, one number or none inside.
SHAPES = [
    (2, 1), (2, 3), (31, 5), (32, 4), (33, 17), (65, 3), (300, 2), (3, 255), (3, 256), (3, 257), (2, 600),
    (1, 3, 2), (2, 3, 5), (4, 2, 17), (2, 1, 4097), (2, 3, 1), (5, 2, 0), (0, 2, 5), (2, 3, 4, 5), (1, 2, 7, 9),
]  # fmt: skip


def statistics(channels, dtype):
    """Running mean and variance."""
    return np.linspace(-1, 1, channels).astype(dtype), np.linspace(0.5, 2, channels).astype(dtype)


def evaluation(function, tensor):
    def call(x, weight, bias, eps=1e-5):
        mean, var = statistics(x.shape[1], str(x.dtype).removeprefix("torch."))
        return function(x, tensor(mean), tensor(var), weight, bias, False, 0.1, eps)

    return call


def training(function):
    return lambda x, weight, bias, eps=1e-5: function(x, None, None, weight, bias, True, 0.1, eps)


def moving(function, tensor):
    """y and the running statistics after two batches."""

    def call(x, momentum):
        mean, var = (tensor(a) for a in statistics(x.shape[1], str(x.dtype).removeprefix("torch.")))
        for batch in (x, x * 2):
            y = function(batch, mean, var, None, None, True, momentum)
        return y, mean, var

    return call


def moving_reference(x, running_mean, running_var, weight, bias, training, momentum):
    return reference.batch_norm(x, weight, bias, running_mean, running_var, momentum, 1e-5)[0]


def counted(library, tensor):
    """What a layer without a momentum remembers of three batches: their mean, and how many they were."""

    def call(x):
        layer = library.nn.BatchNorm1d(x.shape[1], momentum=None).to(x.dtype)
        for batch in (x, x * 2, x - 1):
            layer(batch)
        return layer.running_mean, layer.running_var, layer.num_batches_tracked

    return call


def counted_reference(x):
    batches = [x, x * 2, x - 1]
    axes = (0, *range(2, x.ndim))
    n = x.size // x.shape[1]
    return (
        np.mean([b.mean(axes, np.float64) for b in batches], 0).astype(x.dtype),
        np.mean([b.astype(np.float64).var(axes) * n / (n - 1) for b in batches], 0).astype(x.dtype),
        np.array(3),
    )


def counted_samples(rng, dtype):
    for shape in SHAPES:
        if len(shape) < 4 and np.prod(shape) // shape[1] >= 3:
            yield Sample(rng.normal(3, 2, shape).astype(dtype))


def samples(at_least, centre=0.0):
    """Batches with at_least numbers a channel: the rest of two that happen to be close is all rounding."""

    def generate(rng, dtype):
        for n, shape in enumerate(SHAPES):
            if shape[1] and np.prod(shape) // shape[1] < at_least:
                continue
            x = rng.normal(centre, 1, shape).astype(dtype)
            weight, bias = (rng.uniform(0.5, 2, shape[1]).astype(dtype) for _ in range(2))
            yield Sample(x, weight, bias)
            yield [Sample(x, None, None), Sample(x, weight, None), Sample(x, None, bias, eps=1e-3)][n % 3]

    return generate


def moving_samples(rng, dtype):
    for n, shape in enumerate(SHAPES):
        if shape[1] and np.prod(shape) // shape[1] >= 3:
            yield Sample(rng.normal(3, 2, shape).astype(dtype), [0.1, 0.0, 1.0, 0.3][n % 4])


BAD = (
    Bad(lambda cg: F.batch_norm(cg.ones(1, 3), None, None, training=True), ValueError,
        r"batch_norm: training needs more than one value for each channel, got an input of shape \(1, 3\)"),
    Bad(lambda cg: F.batch_norm(cg.ones(3), None, None, training=True), ValueError,
        r"batch_norm: input must have at least 2 dimensions, got shape \(3,\)"),
    Bad(lambda cg: F.batch_norm(cg.ones(2, 3), None, None, cg.ones(4), training=True), ValueError,
        r"batch_norm: weight has shape \(4,\), but the input \(2, 3\) has 3 channels"),
    Bad(lambda cg: F.batch_norm(cg.ones(2, 3), None, None, None, cg.ones(3, 1), training=True), ValueError,
        r"batch_norm: bias has shape \(3, 1\), but"),
    Bad(lambda cg: F.batch_norm(cg.ones(2, 3), cg.ones(2), cg.ones(3)), ValueError, r"batch_norm: running_mean has shape \(2,\)"),
    Bad(lambda cg: F.batch_norm(cg.ones(2, 3), cg.ones(3), cg.ones(2), training=True), ValueError,
        r"batch_norm: running_var has shape \(2,\)"),
    Bad(lambda cg: F.batch_norm(cg.ones(2, 3), None, None), ValueError,
        "batch_norm: evaluation needs running_mean and running_var, got None"),
    Bad(lambda cg: F.batch_norm(cg.ones(2, 3), None, None, cg.ones(3, dtype=cg.float64), training=True), TypeError,
        "batch_norm: weight is float64, but input is float32"),
    Bad(lambda cg: F.batch_norm(cg.ones(2, 3).long(), None, None, training=True), TypeError,
        "batch_norm: input must be float32 or float64, got int64"),
)  # fmt: skip

ROWS = [
    Row(
        "batch_norm",
        training(F.batch_norm),
        samples(at_least=3),
        torch=lambda torch: training(torch.nn.functional.batch_norm),
        reference=lambda x, weight, bias, eps=1e-5: reference.batch_norm(x, weight, bias, None, None, 0.1, eps)[0],
        kernels=("batch_norm", "batch_norm_backward"),
        atol={np.float32: 5e-5, np.float64: 1e-12},
        bad=BAD,
    ),
    # PyTorch holds a mean of 10,000 in float32, to 0.0005. tests/test_extremes.py compares with float64.
    Row(
        "batch_norm_far",
        training(F.batch_norm),
        samples(at_least=30, centre=1e4),
        torch=lambda torch: training(torch.nn.functional.batch_norm),
        reference=lambda x, weight, bias, eps=1e-5: reference.batch_norm(x, weight, bias, None, None, 0.1, eps)[0],
        kernels=("batch_norm",),
        differentiable=False,
        atol={np.float32: 8e-3, np.float64: 1e-8},
    ),
    Row(
        "batch_norm_running",
        moving(F.batch_norm, cg.tensor),
        moving_samples,
        torch=lambda torch: moving(torch.nn.functional.batch_norm, torch.tensor),
        reference=moving(moving_reference, np.array),
        kernels=("batch_norm",),
        differentiable=False,
        atol={np.float32: 1e-5, np.float64: 1e-12},
    ),
    Row(
        "batch_norm_counted",
        counted(cg, cg.tensor),
        counted_samples,
        torch=lambda torch: counted(torch, torch.tensor),
        reference=counted_reference,
        kernels=("batch_norm", "count"),
        differentiable=False,
        atol={np.float32: 1e-5, np.float64: 1e-12},
    ),
    Row(
        "batch_norm_evaluation",
        evaluation(F.batch_norm, cg.tensor),
        samples(at_least=0),
        torch=lambda torch: evaluation(torch.nn.functional.batch_norm, torch.tensor),
        reference=lambda x, weight, bias, eps=1e-5: reference.batch_norm_eval(
            x, weight, bias, *statistics(x.shape[1], x.dtype), eps
        )[0],
        kernels=("batch_norm_eval", "batch_norm_backward"),
        atol={np.float32: 1e-5, np.float64: 1e-12},
    ),
]
