"""Parallel coordinates: an axis for each quantity, one below the other, and a line across them for each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cygrad.charts.chart import CHARACTER, text

__all__ = ["Axis", "parallel_coordinates"]

WIDTH, ROW, TOP = 400.0, 58.0, 30.0  # pixels
SIDE = 22.0


@dataclass(frozen=True)
class Axis:
    """An axis: a range of numbers, or choices.

    Args:
        name: of the quantity.
        low, high: ends of the range.
        log: whether equal factors have equal distances.
        choices: texts of the choices; positions on the axis are then their indices.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: Sequence[str] = ()

    def share(self, value: float) -> float:
        """Where a value lies, from 0 at the low end to 1 at the high one."""
        if self.choices:
            return (value + 0.5) / len(self.choices)
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5

    def labels(self) -> list[tuple[float, str]]:
        """Positions and texts below the axis: of the choices, or of both ends."""
        if not self.choices:
            return [(0.0, f"{self.low:.4g}".replace("-", "−")), (1.0, f"{self.high:.4g}".replace("-", "−"))]
        room = int((WIDTH - 2 * SIDE) / len(self.choices) / CHARACTER)
        return [
            (self.share(index), choice if len(choice) <= room else f"{choice[: max(1, room - 1)]}…")
            for index, choice in enumerate(self.choices)
        ]


def parallel_coordinates(axes: Sequence[Axis], samples: Sequence[Sequence[float]], title: str, strong: int = 1) -> str:
    """Draw parallel coordinates.

    Args:
        axes: from top to bottom.
        samples: the position of each on all axes, the most important sample first.
        title: for readers that do not see the picture.
        strong: how many samples are drawn in color, the first of them with a thick line.

    Returns:
        An ``svg`` element; a page needs ``cygrad.charts.STYLE`` once.

    Example:
        >>> from cygrad.charts.parallel_coordinates import Axis, parallel_coordinates
        >>> axes = [Axis("lr", 1e-4, 1e-1, log=True), Axis("norm", choices=["batch", "layer"])]
        >>> parallel_coordinates(axes, [(1e-2, 1), (1e-3, 0)], "two trials").count("cg-line")
        2
    """
    height = TOP + ROW * (len(axes) - 1) + TOP

    def x(axis: Axis, value: float) -> float:
        return SIDE + (WIDTH - 2 * SIDE) * axis.share(value)

    def line(sample: Sequence[float]) -> str:
        points = [f"{x(axis, value):.1f} {TOP + ROW * row:.1f}" for row, (axis, value) in enumerate(zip(axes, sample))]
        return f"M{'L'.join(points)}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cg-chart" width="{WIDTH:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
    ]
    rest, colored = samples[strong:], samples[:strong]
    parts += [f'<path class="cg-line cg-grid" d="{line(sample)}"/>' for sample in reversed(rest)]
    parts += [f'<path class="cg-line cg-0" opacity=".7" d="{line(sample)}"/>' for sample in reversed(colored[1:])]
    parts += [f'<path class="cg-line cg-1" style="stroke-width:3" d="{line(sample)}"/>' for sample in colored[:1]]
    parts.append('<g class="cg-halo">')
    for row, axis in enumerate(axes):
        y = TOP + ROW * row
        parts.append(f'<path class="cg-axis" d="M{SIDE:.1f} {y:.1f}H{WIDTH - SIDE:.1f}"/>')
        parts.append(text(SIDE, y - 6, axis.name, "cg-title"))
        for share, label in axis.labels():
            anchor = "middle" if axis.choices else "start" if share == 0 else "end"
            parts.append(text(SIDE + (WIDTH - 2 * SIDE) * share, y + 14, label, anchor=anchor))
    return "".join([*parts, "</g></svg>"])
