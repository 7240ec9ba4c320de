"""Images shifted, rotated, cropped and blurred."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["blur", "warp"]


def warp(x: Any, maps: Any, height: Any, width: Any, padding: Any = "constant", fill: Any = 0) -> Any:
    """y at (column u, row v) is x[i] at (m₀u + m₁v + m₂, m₃u + m₄v + m₅), m = maps[i], between pixels by bilinear
    interpolation."""
    v, u = np.mgrid[:height, :width]
    m = maps.astype(np.float64).reshape(-1, 2, 3)[:, :, :, None, None]
    columns, rows = (m[:, k, 0] * u + m[:, k, 1] * v + m[:, k, 2] for k in (0, 1))
    # Coordinates are clamped to at most one pixel outside; two pixels of fill give each its four neighbors.
    wide = np.pad(x.astype(np.float64), [(0, 0), (0, 0), (2, 2), (2, 2)], constant_values=fill)
    rows, columns = (inside(t, n, padding) + 2 for t, n in ((rows, x.shape[2]), (columns, x.shape[3])))
    r, c = np.floor(rows).astype(int), np.floor(columns).astype(int)
    s, t = (columns - c)[:, None], (rows - r)[:, None]
    i = np.arange(len(x))[:, None, None]

    def at(r: Any, c: Any) -> Any:
        return wide[i, :, r, c].transpose(0, 3, 1, 2)

    top = (1 - s) * at(r, c) + s * at(r, c + 1)
    low = (1 - s) * at(r + 1, c) + s * at(r + 1, c + 1)
    return ((1 - t) * top + t * low).astype(x.dtype)


def inside(t: Any, n: Any, padding: Any) -> Any:
    """Coordinates clamped to the range around 0 … n − 1 in which the result can differ."""
    if padding == "reflect" and n > 1:
        t = np.abs(t) % (2 * n - 2)
        return np.minimum(t, 2 * n - 2 - t)
    return np.clip(t, -1, n) if padding == "constant" else np.clip(t, 0, n - 1)


def blur(x: Any, weights: Any) -> Any:
    """x[i] convolved with weights[i] down the columns and along the rows; the edges mirror."""
    taps, (h, w) = weights.shape[1], x.shape[2:]
    radius = taps // 2
    wide = np.pad(x.astype(np.float64), [(0, 0), (0, 0), (radius, radius), (radius, radius)], "reflect")
    k = weights.astype(np.float64)[:, :, None, None, None]
    tall = sum(k[:, j] * wide[:, :, j : j + h] for j in range(taps))
    return sum(k[:, j] * tall[..., j : j + w] for j in range(taps)).astype(x.dtype)
