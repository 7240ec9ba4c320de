"""Padding, resampling and shuffling of the last dimensions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cygrad import functions as f
from cygrad._typing import Array
from cygrad.creation import full
from cygrad.nn.functional.checks import check_tensor
from cygrad.ops.index import placed

if TYPE_CHECKING:
    from cygrad.tensor import Tensor

__all__ = [
    "channel_shuffle",
    "interpolate",
    "native_channel_shuffle",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Pad the last dimensions. As ``torch.nn.functional.pad``.

    Args:
        input: tensor of any shape.
        pad: sizes before and after the last dimension, then the one before it, …; negative sizes crop.
        mode: "constant" (default), "reflect" (without the border), "replicate" or "circular".
        value: of mode "constant", default None for 0.

    Raises:
        NotImplementedError: the mode is unknown, or does not pad such an input.
        RuntimeError: a padding is too large for its dimension, or there are too many.

    >>> cg.nn.functional.pad(cg.tensor([[1.0, 2.0]]), (1, 1))
    tensor([[0., 1., 2., 0.]])
    """
    check_tensor("pad", "input", input)
    sizes = [int(size) for size in pad]
    if len(sizes) % 2 or len(sizes) > 2 * input.ndim:
        raise RuntimeError(
            f"pad: {len(sizes)} sizes do not fit shape {tuple(input.shape)}, wanted two for each dimension"
        )
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise NotImplementedError(f"pad: mode must be constant, reflect, replicate or circular, got {mode!r}")
    if mode != "constant":
        if value not in (None, 0):
            raise ValueError(f"pad: mode {mode} takes no value, got {value}")
        if len(sizes) > 6 or input.ndim - len(sizes) // 2 not in (1, 2):
            raise NotImplementedError(
                f"pad: mode {mode} does not pad {len(sizes) // 2} dimensions of {tuple(input.shape)}"
            )
    if mode == "constant" and any(sizes) and not value and min(sizes) >= 0 and input.array.dtype.kind == "f":
        return surrounded(input, sizes)
    result = input
    for i in range(0, len(sizes), 2):
        dim, (before, after) = input.ndim - 1 - i // 2, sizes[i : i + 2]
        n = input.shape[dim]
        if n + before + after < 0 or (mode != "constant" and n == 0):
            raise RuntimeError(f"pad: sizes {before} and {after} do not fit dimension {dim} of {tuple(input.shape)}")
        if mode == "constant":
            result = constant(result, dim, before, after, value or 0)
        elif before or after:
            if mode == "circular" and min(before, after) < 0:  # what is left goes round
                result = constant(result, dim, min(0, before), min(0, after), 0)
                n, before, after = result.shape[dim], max(0, before), max(0, after)
            result = f.index_select(result, dim, wrap(input, source(mode, dim, n, before, after)))
    return result if any(sizes) else f.clone(input)


def surrounded(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """x with zeros around its last dimensions."""
    pairs = [(0, 0)] * (x.ndim - len(sizes) // 2) + list(zip(sizes[::2], sizes[1::2]))[::-1]
    # An axis without zeros is taken whole, whatever its size: an exported graph takes batches of any size.
    key = tuple([slice(p, p + n) if (p, q) != (0, 0) else slice(None) for n, (p, q) in zip(x.shape, pairs)])
    shape = tuple([before + n + after for n, (before, after) in zip(x.shape, pairs)])
    return placed(x, key=key, shape=shape)


def wrap(like: Tensor, array: Array) -> Tensor:
    return type(like.detach())(array)


def constant(x: Tensor, dim: int, before: int, after: int, value: float) -> Tensor:
    start, stop = max(0, -before), x.shape[dim] - max(0, -after)
    if (start, stop) != (0, x.shape[dim]):
        x = f.narrow(x, dim, start, stop - start)
    shape = list(x.shape)
    parts = [x]
    for size in (before, after):
        shape[dim] = max(0, size)
        parts.append(full(tuple(shape), value, dtype=x.dtype))
    return f.cat([part for part in (parts[1], x, parts[2]) if part.shape[dim]] or [x], dim)


def source(mode: str, dim: int, n: int, before: int, after: int) -> Array:
    """The index in [0, n) that each index of the padded dimension takes its element from."""
    index = np.arange(-before, n + after)
    most = {"reflect": n - 1, "circular": n, "replicate": math.inf}[mode]
    if before > most or after > most:
        raise RuntimeError(f"pad: mode {mode} pads a dimension of size {n} by at most {most}, got {before} and {after}")
    if mode == "replicate":
        return np.clip(index, 0, n - 1)
    if mode == "circular":
        return index % n
    return n - 1 - np.abs(n - 1 - np.abs(index))


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Turn (…, C·r², H, W) into (…, C, H·r, W·r). As ``torch.nn.functional.pixel_shuffle``. W. Shi et al. (2016),
    "Real-time single image and video super-resolution".

    Raises:
        RuntimeError: the shape does not fit.
    """
    check_tensor("pixel_shuffle", "input", input)
    r = upscale_factor
    if input.ndim < 3 or r < 1 or input.shape[-3] % (r * r):
        raise RuntimeError(f"pixel_shuffle: shape {tuple(input.shape)} does not fit an upscale_factor of {r}")
    *batch, c, h, w = input.shape
    k = len(batch)
    x = input.reshape(*batch, c // (r * r), r, r, h, w)
    return x.permute(*range(k), k, k + 3, k + 1, k + 4, k + 2).reshape(*batch, c // (r * r), h * r, w * r).contiguous()


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Turn (…, C, H·r, W·r) into (…, C·r², H, W). As ``torch.nn.functional.pixel_unshuffle``.

    Raises:
        RuntimeError: the shape does not fit.
    """
    check_tensor("pixel_unshuffle", "input", input)
    r = downscale_factor
    if input.ndim < 3 or r < 1 or input.shape[-1] % r or input.shape[-2] % r:
        raise RuntimeError(f"pixel_unshuffle: shape {tuple(input.shape)} does not fit a downscale_factor of {r}")
    *batch, c, h, w = input.shape
    k = len(batch)
    x = input.reshape(*batch, c, h // r, r, w // r, r)
    return x.permute(*range(k), k, k + 2, k + 4, k + 1, k + 3).reshape(*batch, c * r * r, h // r, w // r).contiguous()


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleave `groups` groups of channels of (N, C, …). As ``torch.nn.functional.channel_shuffle``. X. Zhang et al.
    (2018), "ShuffleNet".

    Raises:
        RuntimeError: C is not a multiple of groups.
    """
    check_tensor("channel_shuffle", "input", input)
    if input.ndim < 3 or groups < 1 or input.shape[1] % groups:
        raise RuntimeError(
            f"channel_shuffle: shape {tuple(input.shape)} can't be split into {groups} groups of channels"
        )
    n, c, *rest = input.shape
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(input.shape)


native_channel_shuffle = channel_shuffle

DIMENSIONS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resample the dimensions after the first two. As ``torch.nn.functional.interpolate``.

    Args:
        input: shape (N, C, …), one to three dimensions more.
        size: sizes of the result, or None.
        scale_factor: its sizes relative to the input's, or None.
        mode: "nearest" (default), "nearest-exact", "linear", "bilinear", "trilinear", "bicubic" or "area".
        align_corners: whether the corners' centers, not their edges, stay in place; default None for False.
        recompute_scale_factor: whether the scale is that of the rounded sizes, default None for False.
        antialias: must be False.

    Raises:
        NotImplementedError: the mode does not fit the number of dimensions, or antialias is True.
        ValueError: not one of size and scale_factor is given, or their number differs from the dimensions.
    """
    check_tensor("interpolate", "input", input)
    dims = input.ndim - 2
    if antialias:
        raise NotImplementedError("interpolate: antialias=True is not supported")
    if not 1 <= dims <= 3 or DIMENSIONS.get(mode, input.ndim) != input.ndim:
        raise NotImplementedError(f"interpolate: mode {mode} does not resample shape {tuple(input.shape)}")
    if mode not in (*DIMENSIONS, "nearest", "nearest-exact", "area"):
        raise NotImplementedError(f"interpolate: there is no mode {mode!r}")
    if align_corners is not None and mode not in DIMENSIONS:
        raise ValueError(f"interpolate: mode {mode} takes no align_corners")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: one of size and scale_factor must be given")
    given = size if scale_factor is None else scale_factor
    values = [given] * dims if isinstance(given, (int, float)) else list(given or ())
    if len(values) != dims:
        raise ValueError(f"interpolate: got {len(values)} sizes or factors for {dims} dimensions")
    for dim, value in enumerate(values, 2):
        n = input.shape[dim]
        out = int(value) if scale_factor is None else math.floor(n * value)
        exact = scale_factor is not None and not recompute_scale_factor
        scale = 1 / value if exact else n / out  # input elements for each output element
        if mode.startswith("nearest"):
            offset = 0.5 if mode == "nearest-exact" else 0
            index = np.minimum(np.floor((np.arange(out) + offset) * np.float32(scale)).astype(np.int64), n - 1)
            input = f.index_select(input, dim, wrap(input, index))
        else:
            weights = wrap(input, resampling(mode, n, out, scale, bool(align_corners)).astype(input.array.dtype))
            input = f.movedim(f.matmul(f.movedim(input, dim, -1), weights.T), -1, dim)
    return input


def resampling(mode: str, n: int, out: int, scale: float, align_corners: bool) -> Array:
    """The matrix (out, n) of a linear resampling of one dimension."""
    matrix = np.zeros((out, n))
    rows = np.arange(out)
    if mode == "area":
        for i in rows:
            start, stop = i * n // out, -(-(i + 1) * n // out)
            matrix[i, start:stop] = 1 / (stop - start)
        return matrix
    if align_corners:
        position = rows * ((n - 1) / (out - 1) if out > 1 else 0.0)
    else:
        position = (rows + 0.5) * scale - 0.5
    if mode != "bicubic":
        position = np.maximum(position, 0)
    low = np.floor(position).astype(np.int64)
    t = position - low
    if mode == "bicubic":
        taps = {offset: cubic(np.abs(t - offset)) for offset in (-1, 0, 1, 2)}
    else:
        taps = {0: 1 - t, 1: t}
    for offset, weight in taps.items():
        np.add.at(matrix, (rows, np.clip(low + offset, 0, n - 1)), weight)
    return matrix


def cubic(x: Array) -> Array:
    """The kernel of R. G. Keys (1981), "Cubic convolution interpolation for digital image processing", for a = −¾."""
    a = -0.75
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def deprecated(name: str) -> None:
    text = f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead."
    warnings.warn(text, stacklevel=3)


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The old name of ``interpolate``. As ``torch.nn.functional.upsample``, with its warning."""
    deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """``interpolate`` with mode "nearest". As ``torch.nn.functional.upsample_nearest``, with its warning."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """``interpolate`` with mode "bilinear" and aligned corners. As ``torch.nn.functional.upsample_bilinear``, with its
    warning."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, "bilinear", True)
