"""How the pictures look."""

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
    """A figure with a panel for each title, side by side."""
    made = Figure(figsize=(4.6 * len(titles), height), dpi=96, layout="constrained")
    panels = made.subplots(1, len(titles), squeeze=False, **options)[0]
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.25)
    return made, panels


def curve(axes: Axes, values: np.ndarray, label: str, x: Sequence[float] | None = None, **options: Any) -> None:
    """The mean of `values`, (seeds, epochs), as a line, and one deviation to both sides as a band."""
    x = np.arange(1, values.shape[1] + 1) if x is None else x
    mean, spread = values.mean(0), values.std(0)
    (line,) = axes.plot(x, mean, label=label, **options)
    axes.fill_between(x, mean - spread, mean + spread, color=line.get_color(), alpha=0.15, linewidth=0)


def save(made: Figure, path: Path) -> None:
    """Writes the figure as a PNG of 64 colours, which is half as large."""
    pixels = io.BytesIO()
    made.savefig(pixels, format="png")
    Image.open(pixels).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
