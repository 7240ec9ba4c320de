"""Rows for the kernels of warp and blur, which are called directly."""

from __future__ import annotations

import numpy as np

from cygrad import _kernels as kernels
from tests import reference
from tests.op_db.row import Bad, Row, Sample, on_arrays

IMAGES = [(0, 1, 3, 3), (1, 1, 1, 1), (3, 1, 5, 4), (2, 3, 28, 28), (1, 2, 7, 130), (1, 7, 9, 30), (6, 3, 33, 65)]


def images(rng, dtype):
    for shape in IMAGES:
        yield np.asarray(rng.uniform(-1, 1, shape), dtype)


def maps(rng, n, dtype):
    """Random rotations, zooms and shifts; every other map is a flip and a shift by whole pixels."""
    angle, zoom, shift = rng.uniform(-3, 3, n), rng.uniform(0.5, 2, n), rng.uniform(-9, 9, (2, n))
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    matrices = np.stack([c, s, shift[0], -s, c, shift[1]], 1)
    matrices[::2] = [-1, 0, 4, 0, 1, -2]
    return matrices.astype(dtype)


def warps(rng, dtype):
    for x in images(rng, dtype):
        for padding in ("constant", "edge", "reflect"):
            height, width = x.shape[2] + 3, 2 * x.shape[3]
            yield Sample(x, maps(rng, len(x), dtype), height, width, padding, 0.5)


def blurs(rng, dtype):
    for x in images(rng, dtype):
        for taps in (1, 3, 7):
            if taps // 2 < min(x.shape[2:]):
                yield Sample(x, np.asarray(rng.uniform(0, 1, (len(x), taps)), dtype))


X, M = np.zeros((2, 1, 4, 5), np.float32), np.zeros((2, 6), np.float32)
ROWS = [
    Row(
        "warp",
        on_arrays(lambda *args: kernels.warp(*args)),
        warps,
        reference=reference.warp,
        kernels=("warp",),
        differentiable=False,
        bare=True,
        rtol={np.float32: 1e-4, np.float64: 1e-11},
        atol={np.float32: 1e-4, np.float64: 1e-11},
        bad=(
            Bad(lambda cg: kernels.warp(X[0], M, 4, 5), ValueError, r"warp: input must be \(N, C, H, W\), got shape \(1, 4, 5\)"),
            Bad(lambda cg: kernels.warp(X.astype(int), M, 4, 5), TypeError, "warp: input must be float32 or float64, got int64"),
            Bad(lambda cg: kernels.warp(X, M[:1], 4, 5), ValueError, r"warp: maps must be 6 numbers for each of 2 samples, got shape \(1, 6\)"),
            Bad(lambda cg: kernels.warp(X, M * np.nan, 4, 5), ValueError, "warp: maps must be finite"),
            Bad(lambda cg: kernels.warp(X, M + 2**30, 4, 5), ValueError, r"warp: maps must stay below 2\^30"),
            Bad(lambda cg: kernels.warp(X, M.astype(np.float64), 4, 5), TypeError, "warp: maps is float64, but input is float32"),
            Bad(lambda cg: kernels.warp(X, M, -1, 5), ValueError, r"warp: the size must not be negative, got \(-1, 5\)"),
            Bad(lambda cg: kernels.warp(X, M, 4, 5, "wrap"), ValueError, "warp: padding must be constant, edge or reflect, got 'wrap'"),
            Bad(lambda cg: kernels.warp(X[:, :, :0], M, 4, 5), ValueError, "warp: images must have pixels, got shape"),
        ),
    ),
    Row(
        "blur",
        on_arrays(lambda *args: kernels.blur(*args)),
        blurs,
        reference=reference.blur,
        kernels=("blur",),
        differentiable=False,
        bare=True,
        bad=(
            Bad(lambda cg: kernels.blur(X, np.ones((2, 4), np.float32)), ValueError, r"blur: weights must be \(N, an odd number of taps\), got shape \(2, 4\)"),
            Bad(lambda cg: kernels.blur(X, np.ones((1, 3), np.float32)), ValueError, r"blur: weights must be 3 numbers for each of 2 samples, got shape \(1, 3\)"),
            Bad(lambda cg: kernels.blur(X, np.ones((2, 9), np.float32)), ValueError, "blur: 9 taps reach beyond the mirror of an image of 4 x 5"),
            Bad(lambda cg: kernels.blur(np.zeros((1, 1, 1, 1 << 20), np.float32), np.ones((1, 1), np.float32)), ValueError, "blur: 1 taps are too many for rows of 1048576 pixels"),
        ),
    ),
]  # fmt: skip
