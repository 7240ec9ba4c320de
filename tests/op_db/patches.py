"""Rows of patches."""

from __future__ import annotations

import numpy as np

from cygrad.nn import functional as F
from tests.op_db.row import Bad, Row, Sample

# Shape of the images, kernel_size, dilation, padding, stride.
CASES = [
    ((2, 3, 4, 5), 2, 1, 0, 1), ((1, 2, 7, 6), (2, 3), 1, 1, 2), ((3, 5, 4), 3, 1, (1, 2), (1, 3)),
    ((1, 1, 9, 8), (3, 2), (2, 3), 2, 2), ((0, 2, 4, 4), 2, 1, 0, 2), ((2, 1, 1, 1), 1, 1, 0, 1), ((1, 1, 2, 2), 3, 1, 3, 4),
]  # fmt: skip


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def columns(x, kernel, dilation, padding, stride):
    """Every patch, one after the other."""
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = map(pair, (kernel, dilation, padding, stride))
    padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(ph, ph), (pw, pw)])
    high, wide = ((n - d * (k - 1) - 1) // s + 1 for n, k, d, s in zip(padded.shape[-2:], (kh, kw), (dh, dw), (sh, sw)))
    found = [
        padded[..., i * sh : i * sh + dh * (kh - 1) + 1 : dh, j * sw : j * sw + dw * (kw - 1) + 1 : dw].reshape(*x.shape[:-3], x.shape[-3] * kh * kw)
        for i in range(high) for j in range(wide)
    ]  # fmt: skip
    return np.stack(found, -1)


def of_images(rng, dtype):
    for shape, *options in CASES:
        yield Sample(rng.normal(size=shape).astype(dtype), *options)


def of_columns(rng, dtype):
    for shape, *options in CASES:
        if 0 not in shape:
            y = columns(np.zeros(shape), *options)
            yield Sample(rng.normal(size=y.shape).astype(dtype), shape[-2:], *options)


def summed(y, size, kernel, dilation, padding, stride):
    """The transpose of `columns`, from the positions of its elements."""
    channels = y.shape[-2] // int(np.prod(pair(kernel)))
    shape = (*y.shape[:-2], channels, *size)
    at = columns(np.arange(1, int(np.prod(shape)) + 1).reshape(shape), kernel, dilation, padding, stride)
    x = np.zeros(int(np.prod(shape)) + 1)
    np.add.at(x, at.reshape(-1), y.reshape(-1).astype(np.float64))
    return x[1:].reshape(shape).astype(y.dtype)


def bad(call, error, match):
    return Bad(call, error, match)


ROWS = [
    Row(
        "unfold_images",
        F.unfold,
        of_images,
        torch=lambda torch: torch.nn.functional.unfold,
        reference=columns,
        bad=(
            bad(lambda cg: F.unfold(cg.ones(4, 4), 2), RuntimeError, r"unfold: input has shape \(4, 4\), wanted"),
            bad(lambda cg: F.unfold(cg.ones(1, 4, 4), 5), RuntimeError, "unfold: a kernel of size 5, dilated by 1, is larger"),
            bad(lambda cg: F.unfold(cg.ones(1, 4, 4), 2, stride=0), RuntimeError, "unfold: stride must be at least 1, got 0"),
            bad(lambda cg: F.unfold(cg.ones(1, 4, 4), 1.5), TypeError, "unfold: kernel_size must be an int, got float"),
        ),
    ),
    Row(
        "fold_columns",
        F.fold,
        of_columns,
        torch=lambda torch: torch.nn.functional.fold,
        reference=summed,
        bad=(
            bad(lambda cg: F.fold(cg.ones(1, 4, 3), 3, 2), RuntimeError, "fold: input has shape .*, wanted 4 columns"),
            bad(lambda cg: F.fold(cg.ones(1, 3, 4), 3, 2), RuntimeError, "fold: .* of a multiple of 4 elements"),
            bad(lambda cg: F.fold(cg.ones(4), 3, 2), RuntimeError, r"fold: input has shape \(4,\), wanted"),
        ),
    ),
]  # fmt: skip
