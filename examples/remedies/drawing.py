"""Figures and curves in one style."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["curve", "figure", "save"]


def figure(*titles: str, height: float = 3.4, **options: Any) -> tuple[Figure, Sequence[Axes]]:
    """Create a figure with one panel per title, side by side."""
    fig = Figure(figsize=(4.6 * len(titles), height), dpi=96, layout="constrained")
    panels = fig.subplots(1, len(titles), squeeze=False, **options)[0]
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.25)
    return fig, panels


def curve(axes: Axes, values: np.ndarray, label: str, x: Sequence[float] | None = None, **options: Any) -> None:
    """Draw the mean of `values` (seeds, epochs) as a line, and ± one standard deviation as a band."""
    x = np.arange(1, values.shape[1] + 1) if x is None else x
    mean, std = values.mean(0), values.std(0)
    (line,) = axes.plot(x, mean, label=label, **options)
    axes.fill_between(x, mean - std, mean + std, color=line.get_color(), alpha=0.15, linewidth=0)


def save(fig: Figure, path: Path) -> None:
    """Save the figure as a PNG with 64 colors, which halves its size."""
    pixels = io.BytesIO()
    fig.savefig(pixels, format="png")
    Image.open(pixels).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
