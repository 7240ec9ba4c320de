"""Rows of convolutions."""

from __future__ import annotations

import warnings

import numpy as np

from cygrad.nn import functional as F
from tests import reference
from tests.op_db.linear import bad, uniform
from tests.op_db.row import Row, Sample

LOOSE = {"rtol": {np.float32: 2e-5, np.float64: 1e-11}, "atol": {np.float32: 3e-5, np.float64: 1e-12}}

# n, channels and filters of a group, groups, image, kernel, stride, padding, dilation
ONE = [
    (2, 3, 4, 1, (9,), (3,), 1, 0, 1), (1, 1, 1, 1, (1,), (1,), 1, 0, 1), (3, 2, 1, 1, (17,), (4,), 1, 2, 3),
    (2, 5, 7, 1, (40,), (5,), 2, 3, 1), (2, 1, 3, 4, (12,), (3,), 1, "same", 2), (1, 2, 2, 3, (33,), (2,), 3, (1,), 1),
    (2, 13, 15, 1, (21,), (7,), 4, 0, 2), (1, 1, 2, 1, (70,), (33,), 1, 20, 1), (0, 2, 3, 1, (5,), (3,), 1, 1, 1),
    (2, 3, 2, 1, (8,), (4,), 1, "same", 1), (1, 2, 3, 1, (6,), (2,), 5, "valid", 1), (20, 2, 3, 1, (2,), (2,), 1, 1, 1),
]  # fmt: skip
TWO = [
    (2, 3, 4, 1, (7, 6), (3, 3), 1, 1, 1), (1, 1, 1, 1, (1, 1), (1, 1), 1, 0, 1), (2, 2, 3, 2, (5, 9), (3, 2), 2, (1, 0), 1),
    (1, 1, 1, 5, (8, 8), (3, 3), 1, "same", 2), (1, 15, 17, 1, (6, 7), (1, 1), 2, 0, 1), (2, 3, 5, 1, (9, 8), (4, 3), (3, 2), 2, (1, 2)),
    (1, 2, 2, 1, (5, 4), (5, 4), 1, 0, 1), (1, 1, 2, 1, (12, 11), (7, 7), 2, 3, 1), (1, 2, 1, 1, (4, 3), (2, 2), 3, 4, 1),
    (0, 2, 4, 1, (5, 5), (3, 3), 1, 1, 1), (3, 4, 16, 1, (5, 5), (2, 5), (1, 2), "valid", (2, 1)), (1, 2, 1, 1, (3, 40), (2, 3), 1, (1, 9), (1, 5)),
    (1, 2, 3, 1, (3, 32), (3, 3), 1, 1, 1), (1, 2, 2, 1, (4, 37), (3, 3), 2, 1, 1),
]  # fmt: skip
# The same with an output padding.
TRANSPOSED_ONE = [
    (2, 3, 4, 1, (9,), (3,), 1, 0, 1, 0), (1, 1, 1, 1, (1,), (1,), 1, 0, 1, 0), (2, 5, 7, 1, (11,), (5,), 2, 3, 1, 1),
    (2, 1, 3, 4, (12,), (3,), 1, 2, 2, 1), (1, 2, 2, 3, (6,), (2,), 3, 1, 1, 2), (1, 4, 3, 1, (7,), (4,), 4, 0, 3, 2),
    (0, 2, 3, 1, (5,), (3,), 1, 1, 1, 0), (1, 16, 2, 1, (17,), (2,), 2, 0, 1, 0),
]  # fmt: skip
TRANSPOSED_TWO = [
    (2, 3, 4, 1, (4, 5), (3, 3), 1, 1, 1, 0), (1, 1, 1, 1, (1, 1), (1, 1), 1, 0, 1, 0), (2, 2, 3, 2, (4, 5), (3, 2), 2, (1, 0), 1, (1, 0)),
    (1, 1, 1, 5, (5, 4), (3, 3), 1, 0, 2, 1), (1, 15, 17, 1, (3, 4), (1, 1), 2, 0, 1, 1), (1, 3, 2, 1, (4, 3), (4, 3), (3, 2), 2, (1, 2), (2, 1)),
    (0, 2, 4, 1, (5, 5), (3, 3), 2, 1, 1, 1), (2, 8, 5, 1, (4, 4), (2, 2), 2, 0, 1, 0),
]  # fmt: skip


def quiet(function):
    """A function without its warnings: PyTorch's, that padding="same" may take a copy."""

    def call(*args):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args)

    return call


def samples(cases):
    def draw(rng, dtype):
        for i, (n, channels, filters, groups, image, kernel, stride, padding, dilation) in enumerate(cases):
            x = uniform(rng, dtype, n, channels * groups, *image)
            w, b = uniform(rng, dtype, filters * groups, channels, *kernel), uniform(rng, dtype, filters * groups)
            yield Sample(x, w, b if i % 3 else None, stride, padding, dilation, groups)
        yield Sample(uniform(rng, dtype, 2, *image), uniform(rng, dtype, 3, 2, *kernel), None, 1, 9)  # without n

    return draw


def transposed_samples(cases):
    def draw(rng, dtype):
        for i, (n, channels, filters, groups, image, kernel, stride, padding, dilation, extra) in enumerate(cases):
            x = uniform(rng, dtype, n, filters * groups, *image)
            w, b = uniform(rng, dtype, filters * groups, channels, *kernel), uniform(rng, dtype, channels * groups)
            yield Sample(x, w, b if i % 3 else None, stride, padding, extra, groups, dilation)
        yield Sample(uniform(rng, dtype, 2, *image), uniform(rng, dtype, 2, 3, *kernel))  # without n

    return draw


def bad_calls(f, dims, shared):
    name, image, kernel = f.__name__, (5,) * dims, (3,) * dims
    x, w = (2, 4, *image), (4, 4, *kernel)
    sizes = r"\(N, C, L\) or \(C, L\)" if dims == 1 else r"\(N, C, H, W\) or \(C, H, W\)"
    calls = [
        bad(f, (4,), w, match=rf"{name}: input must have shape {sizes}, got \(4,\)"),
        bad(f, x, (4, 4), match=rf"{name}: weight must have {dims + 2} dimensions, got shape \(4, 4\)"),
        bad(f, (2, 3, *image), w, match=rf"{name}: input has shape .*, but a weight of shape .* takes 4 channels"),
        bad(f, x, w, (3,), match=rf"{name}: bias has shape \(3,\), but the result has 4 channels"),
        bad(f, x, w, None, 0, match=rf"{name}: stride must be at least 1, got 0"),
        bad(f, x, w, None, 1, -1, match=rf"{name}: padding must be at least 0, got -1"),
        bad(f, x, w, None, [1, 1, 1], match=rf"{name}: stride must be one integer, or {dims}, got \[1, 1, 1\]"),
        bad(f, x, w, None, 1.5, error=TypeError, match=rf"{name}: stride must be an integer, or one for each dimension"),
        bad(f, x, w, None, True, error=TypeError, match=rf"{name}: stride must be an integer, or one for each dimension"),
        bad(f, x, (4, 4, *kernel[1:], 0), match=rf"{name}: kernels must not be empty"),
        bad(f, (2, 4, *image[1:], 0), w, match=rf"{name}: images must not be empty"),
        bad(f, x, ("float64", *w), error=RuntimeError, match=rf"{name}: weight is float64, but input is float32"),
        bad(f, x, w, ("float64", 4), error=RuntimeError, match=rf"{name}: bias is float64, but input is float32"),
        bad(f, ("int64", *x), w, error=RuntimeError, match=rf"{name}: weight is float32, but input is int64"),
        bad(f, 3.0, w, error=TypeError, match=rf"{name}: input must be a tensor, got float"),
        bad(f, x, w, None, 2**31, match=rf"{name}: stride must lie in 1 to 2147483647, got 2147483648"),
        *shared(name, f, x, w),
    ]
    return tuple(calls)


def bad_convolutions(name, f, x, w):
    return [
        bad(f, x, w, None, 1, 0, 0, match=f"{name}: dilation must be at least 1, got 0"),
        bad(f, x, w, None, 1, 0, 1, 0, match=f"{name}: groups must be at least 1, got 0"),
        bad(f, x, w, None, 1, 0, 1, 3, match=rf"{name}: the first size of weight, of shape .*, must be a positive multiple of groups, 3"),
        bad(f, x, w, None, 1, 0, 9, match=rf"{name}: a kernel that reaches over .* elements is larger than the padded input"),
        bad(f, x, w, None, 2, "same", match=rf'{name}: padding="same" needs a stride of 1'),
        bad(f, x, w, None, 1, "full", match=rf"{name}: padding must be .* or integers, got 'full'"),
    ]


def bad_transposes(name, f, x, w):
    return [
        bad(f, x, w, None, 1, 0, 1, match=f"{name}: output_padding must be less than stride or dilation"),
        bad(f, x, w, None, 1, 9, match=f"{name}: padding .* leaves nothing of a result"),
        bad(f, x, w, None, 1, 0, 0, 3, match=rf"{name}: the first size of weight, of shape .*, must be a positive multiple of groups, 3"),
        bad(f, x, w, None, 1, "same", error=TypeError, match=f"{name}: padding must be an integer"),
        bad(f, x, w, None, 2**30, match=f"{name}: size must lie in 0 to 2147483647"),
    ]


CONVOLUTIONS = [("conv1d", F.conv1d, 1, ONE), ("conv2d", F.conv2d, 2, TWO)]
TRANSPOSES = [
    ("conv_transpose1d", F.conv_transpose1d, 1, TRANSPOSED_ONE),
    ("conv_transpose2d", F.conv_transpose2d, 2, TRANSPOSED_TWO),
]

ROWS = [
    *[
        Row(
            name,
            op,
            samples(cases),
            torch=lambda torch, name=name: quiet(getattr(torch.nn.functional, name)),
            reference=reference.convolve,
            kernels=("conv", "conv_transpose", "conv_weight"),
            bad=bad_calls(op, dims, bad_convolutions),
            **LOOSE,
        )
        for name, op, dims, cases in CONVOLUTIONS
    ],
    *[
        Row(
            name,
            op,
            transposed_samples(cases),
            torch=lambda torch, name=name: quiet(getattr(torch.nn.functional, name)),
            reference=reference.transpose,
            kernels=("conv", "conv_transpose", "conv_weight"),
            bad=bad_calls(op, dims, bad_transposes),
            **LOOSE,
        )
        for name, op, dims, cases in TRANSPOSES
    ],
]
