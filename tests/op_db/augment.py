"""Rows for the kernels of color, noise, erasing and mixing, which are called directly."""

from __future__ import annotations

import numpy as np

from cygrad import _kernels as kernels
from tests import reference
from tests.op_db.row import EDGE_SIZES, Bad, Row, Sample, on_arrays
from tests.op_db.warp import images

SEEDS = [(0, 0), (7, 16), (2**64 - 1, 2**33)]


def colors(rng, dtype):
    for x in images(rng, dtype):
        factors = np.asarray(rng.uniform(0.1, 2, (len(x), 3)), dtype)
        yield Sample(x, factors)
        yield Sample(x, factors, 0.0, 1.0)
        factors[:, 1:] = 1
        yield Sample(x, factors, 0.0, 1.0)


def noises(rng, dtype):
    for k, size in enumerate(EDGE_SIZES):
        n = k % 3 + 1
        x, sigmas = np.asarray(rng.uniform(0, 1, (n, size)), dtype), np.asarray(rng.uniform(0.1, 1, n), dtype)
        seed, offset = SEEDS[k % 3]
        yield Sample(x, sigmas, seed, offset)
        yield Sample(x, sigmas, seed, offset, 0.25, 0.0, 1.0)
    yield Sample(np.zeros((0, 3), dtype), np.zeros(0, dtype), 1, 2)


def boxes(rng, shape):
    n, _, h, w = shape
    top, left = rng.integers(0, h, n), rng.integers(0, w, n)
    return np.stack([top, left, rng.integers(0, h - top + 1), rng.integers(0, w - left + 1)], 1)


def erasures(rng, dtype):
    for x in images(rng, dtype):
        yield Sample(x, boxes(rng, x.shape), np.asarray(rng.uniform(2, 3, x.shape[1]), dtype))


def pastes(rng, dtype):
    for x in images(rng, dtype):
        other = np.asarray(rng.uniform(2, 3, x.shape), dtype)
        yield Sample(x, other, rng.permutation(len(x)), boxes(rng, x.shape))


def mixtures(rng, dtype):
    for k, size in enumerate(EDGE_SIZES):
        n = k % 4 + 1
        x, weights = np.asarray(rng.uniform(-1, 1, (n, size)), dtype), np.asarray(rng.uniform(0, 1, n), dtype)
        yield Sample(x, rng.integers(0, n, n), weights)


def row(name, samples, *bad):
    return Row(
        name,
        on_arrays(lambda *args: getattr(kernels, name)(*args)),
        samples,
        reference=getattr(reference, name),
        kernels=(name,),
        differentiable=False,
        bare=True,
        bad=bad,
    )


F = np.float32
X, BOX = np.zeros((2, 3, 4, 5), F), np.zeros((2, 4), int)
ROWS = [
    row(
        "color",
        colors,
        Bad(lambda cg: kernels.color(X, np.ones((2, 2), F)), ValueError, r"color: factors must be 3 numbers for each of 2 samples, got shape \(2, 2\)"),
        Bad(lambda cg: kernels.color(X[0], np.ones((2, 3), F)), ValueError, r"color: input must be \(N, C, H, W\)"),
    ),
    row(
        "gaussian_noise",
        noises,
        Bad(lambda cg: kernels.gaussian_noise(X, np.ones(3, F), 0, 0), ValueError, "gaussian_noise: sigmas must be 1 numbers for each of 2 samples"),
        Bad(lambda cg: kernels.gaussian_noise(F(1), np.ones(1, F), 0, 0), ValueError, "gaussian_noise: input must have a first dimension, the samples"),
    ),
    row(
        "erase",
        erasures,
        Bad(lambda cg: kernels.erase(X, BOX[:1], np.ones(3, F)), ValueError, r"erase: boxes must be \(2, 4\), got shape \(1, 4\)"),
        Bad(lambda cg: kernels.erase(X, BOX + np.array([0, 1, 0, 5]), np.ones(3, F)), ValueError, r"erase: box \(0, 1, 0, 5\) is not inside an image of 4 x 5"),
        Bad(lambda cg: kernels.erase(X, BOX, np.ones(2, F)), ValueError, r"erase: values must be one for each of 3 channels, got shape \(2,\)"),
        Bad(lambda cg: kernels.erase(X, BOX, np.ones(3)), TypeError, "erase: values is float64, but input is float32"),
    ),
    row(
        "paste",
        pastes,
        Bad(lambda cg: kernels.paste(X, X[:1], np.array([0, 1]), BOX), ValueError, r"paste: other has shape \(1, 3, 4, 5\), but input has \(2, 3, 4, 5\)"),
        Bad(lambda cg: kernels.paste(X, X, np.array([0, 2]), BOX), IndexError, "paste: index 2 is not one of the 2 rows"),
        Bad(lambda cg: kernels.paste(X, X, np.array([0]), BOX), ValueError, r"paste: index must have one entry for each of 2 samples, got shape \(1,\)"),
        Bad(lambda cg: kernels.paste(X, X, np.array([0, 1]), BOX - 1), ValueError, r"paste: box \(-1, -1, -1, -1\) is not inside"),
    ),
    row(
        "mix",
        mixtures,
        Bad(lambda cg: kernels.mix(X, np.array([0, 1]), np.ones(3, F)), ValueError, "mix: weights must be 1 numbers for each of 2 samples"),
        Bad(lambda cg: kernels.mix(X, np.array([0.0, 1]), np.ones(2, F)), TypeError, "mix: index must be an array of integers, got float64"),
    ),
]  # fmt: skip
