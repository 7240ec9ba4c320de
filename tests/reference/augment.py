"""Augmentation that changes values, erases boxes and mixes samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.reference.dropout import philox

__all__ = ["color", "erase", "gaussian_noise", "gaussian_noise_draws", "mix", "paste"]


def color(x: Any, factors: Any, low: Any = -np.inf, high: Any = np.inf) -> Any:
    """Brightness, contrast and saturation b, c, s = factors[i], each followed by a clamp: v = b·x; v ← c·v + (1 −
    c)·mean of the gray of v; y = s·v + (1 − s)·gray of the pixel."""
    b, c, s = factors.astype(np.float64).reshape(-1, 3).T[:, :, None, None, None]
    channels = x.shape[1]
    weights = np.array([0.2989, 0.587, 0.114] if channels == 3 else [1 / max(channels, 1)] * channels)[:, None, None]
    v = np.clip(b * x, low, high)
    v = np.clip(c * v + (1 - c) * (weights * v).sum(1, keepdims=True).mean((2, 3), keepdims=True), low, high)
    return np.clip(s * v + (1 - s) * (weights * v).sum(1, keepdims=True), low, high).astype(x.dtype)


def gaussian_noise(
    x: Any, sigmas: Any, seed: Any, offset: Any, mean: Any = 0, low: Any = -np.inf, high: Any = np.inf
) -> Any:
    """clamp(x + mean + sigmas[i]·z), z by Box and Muller from a group of 32 words: the first 16 give lengths, the
    others angles; cosines come first, then sines. The angles start at −π/4."""
    draws = gaussian_noise_draws(x) // max(len(x), 1)
    z = np.zeros(x.shape)
    for i in range(len(x)):
        counters = np.arange(draws, dtype=np.uint64) + np.uint64(offset + i * draws)
        words = philox(seed, counters).reshape(2, 2, -1, 8).transpose(2, 0, 3, 1).reshape(-1, 2, 16)
        lengths = np.sqrt(-2 * np.log(((words[:, 0] >> np.uint64(1)) + 0.25) / 2**31))
        angles = 2 * np.pi * (words[:, 1] / 2**32 - 0.125)
        normal = np.stack([lengths * np.cos(angles), lengths * np.sin(angles)], 1)
        z[i] = normal.reshape(-1)[: x[i].size].reshape(x[i].shape)
    sigma = sigmas.astype(np.float64).reshape(-1, *[1] * (x.ndim - 1))
    return np.clip(x + (mean + sigma * z), low, high).astype(x.dtype)


def gaussian_noise_draws(x: Any) -> Any:
    """The number of counters that the noise of x uses."""
    return len(x) * ((x.size // max(len(x), 1) + 31) // 32 * 8)


def covered(x: Any, boxes: Any) -> Any:
    """The mask of the boxes: [n, 1, height, width] of bool."""
    top, left, height, width = np.asarray(boxes).reshape(-1, 4).T[:, :, None, None]
    v, u = np.mgrid[: x.shape[2], : x.shape[3]]
    return ((v >= top) & (v < top + height) & (u >= left) & (u < left + width))[:, None]


def erase(x: Any, boxes: Any, values: Any) -> Any:
    """x with values[channel] inside the boxes."""
    return np.where(covered(x, boxes), values[:, None, None], x)


def paste(x: Any, other: Any, index: Any, boxes: Any) -> Any:
    """x with other[index[i]] inside the boxes."""
    return np.where(covered(x, boxes), other[index], x)


def mix(x: Any, index: Any, weights: Any) -> Any:
    """w·x[i] + (1 − w)·x[index[i]], w = weights[i]"""
    w = weights.astype(np.float64).reshape(-1, *[1] * (x.ndim - 1))
    return (w * x + (1 - w) * x[index]).astype(x.dtype)
