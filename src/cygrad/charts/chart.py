"""A chart of lines and points over two axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cygrad.charts.scale import Scale, scale_of

__all__ = ["STYLE", "Series", "chart"]

CHARACTER, LINE = 6.4, 14.0  # pixels; text is set at 11 pixels
MARGIN = 10.0
STYLE = """
.cg-chart{max-width:100%;height:auto}
.cg-chart text{font:11px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#57606a}
.cg-chart .cg-title{fill:#1f2328;font-weight:600}
.cg-chart .cg-halo text{paint-order:stroke;stroke:var(--card,#fff);stroke-width:4px;stroke-linejoin:round}
.cg-chart .cg-grid{stroke:#d8dee4;stroke-width:1}.cg-chart .cg-line{fill:none;stroke-width:1.8}
.cg-chart .cg-0{stroke:#0969da}.cg-chart .cg-1{stroke:#bc4c00}.cg-chart .cg-2{stroke:#1a7f37}
.cg-chart .cg-3{stroke:#8250df}
.cg-chart .cg-fill.cg-0{fill:#0969da}.cg-chart .cg-fill.cg-1{fill:#bc4c00}.cg-chart .cg-fill.cg-2{fill:#1a7f37}
.cg-chart .cg-fill.cg-3{fill:#8250df}
.cg-chart .cg-fill{stroke:none}.cg-chart .cg-axis{stroke:#8c959f}
.cg-chart .cg-mark{stroke:#8c959f;stroke-dasharray:4 3;fill:none}
@media(prefers-color-scheme:dark){
.cg-chart text{fill:#9198a1}.cg-chart .cg-title{fill:#e6edf3}.cg-chart .cg-grid{stroke:#30363d}
.cg-chart .cg-0{stroke:#58a6ff}.cg-chart .cg-1{stroke:#f0883e}.cg-chart .cg-2{stroke:#56d364}
.cg-chart .cg-3{stroke:#bc8cff}
.cg-chart .cg-fill.cg-0{fill:#58a6ff}.cg-chart .cg-fill.cg-1{fill:#f0883e}.cg-chart .cg-fill.cg-2{fill:#56d364}
.cg-chart .cg-fill.cg-3{fill:#bc8cff}}
""".replace("\n", "")


@dataclass(frozen=True)
class Series:
    """Values to draw over positions.

    Args:
        name: in the legend; "" for none.
        x: positions (n,).
        y: values (n,); those that are not finite are left out.
        kind: "line", or "points".
        low, high: ends of the values' intervals (n,), if they have any; a line has a band between them.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: str = "line"
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def chart(
    series: Sequence[Series],
    title: str,
    x_label: str,
    y_label: str = "",
    *,
    size: tuple[int, int] = (400, 250),
    whole: bool = False,
    mark: float | None = None,
    diagonal: bool = False,
    cover: Sequence[float] = (),
) -> str:
    """Draw a chart.

    Args:
        series: at most four.
        title: above it.
        x_label: below it.
        y_label: right of the title.
        size: width and height in pixels, at which text has its size; the picture shrinks with the page.
        whole: whether positions are integers.
        mark: position of a dashed vertical line.
        diagonal: whether to draw y = x; both axes then have the same range.
        cover: values that both axes have to cover.

    Returns:
        An ``svg`` element; a page needs ``STYLE`` once.

    Example:
        >>> from cygrad.charts import Series, chart
        >>> chart([Series("training", [1, 2], [0.5, 0.25])], "loss", "epoch").count("cg-line")
        1
    """
    xs, ys = [v for s in series for v in s.x], [v for s in series for v in (*s.y, *s.low, *s.high)]
    width, height = size
    if diagonal:
        xs = ys = [*xs, *ys]
    xs, ys = [*xs, *cover], [*ys, *cover]
    y_scale = scale_of(ys, 4)
    left = MARGIN + CHARACTER * max([len(y_scale.label(tick)) for tick in y_scale.ticks], default=1) + 6
    legend = [s for s in series if s.name]
    top, bottom = LINE + MARGIN + (LINE + 4) * (len(legend) > 1), height - 2 * LINE - 8
    longest = max(len(text) for text in (format_end(min(xs, default=0)), format_end(max(xs, default=1))))
    x_scale = scale_of(xs, max(2, min(6, int((width - left) / (CHARACTER * (longest + 5))))), whole)
    frame = Frame(left, width - MARGIN - 4, top, bottom, x_scale, y_scale)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cg-chart" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">',
        text(MARGIN, LINE, title, "cg-title"),
        text(width - MARGIN, LINE, y_label, anchor="end") if y_label else "",
        *legend_of(legend, top),
        *frame.axes(x_label),
    ]
    if mark is not None and x_scale.least <= mark <= x_scale.most:
        parts.append(f'<path class="cg-mark" d="M{frame.x(mark):.1f} {top:.1f}V{bottom:.1f}"/>')
    if diagonal:
        low, high = x_scale.least, x_scale.most
        ends = f"M{frame.x(low):.1f} {frame.y(low):.1f}L{frame.x(high):.1f} {frame.y(high):.1f}"
        parts.append(f'<path class="cg-mark" d="{ends}"/>')
    parts += [drawn for number, s in enumerate(series) for drawn in frame.draw(s, number)]
    return "".join([*parts, "</svg>"])


def format_end(value: float) -> str:
    """The text of an end of the x axis, for its length."""
    return f"{value:.4g}"


def text(x: float, y: float, content: str, style: str = "", anchor: str = "start") -> str:
    """A line of text."""
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def legend_of(series: Sequence[Series], top: float) -> list[str]:
    """The names of several series beside their colors, in one line above the frame."""
    parts, x = [], MARGIN
    for number, s in enumerate(series if len(series) > 1 else ()):
        parts.append(f'<path class="cg-line cg-{number}" d="M{x:.1f} {top - 16:.1f}h16"/>')
        parts.append(text(x + 20, top - 12, s.name))
        x += 20 + CHARACTER * len(s.name) + 14
    return parts


class Frame:
    """The area of a chart in pixels, with its two scales."""

    def __init__(self, left: float, right: float, top: float, bottom: float, x_scale: Scale, y_scale: Scale) -> None:
        self.left, self.right, self.top, self.bottom = left, right, top, bottom
        self.x_scale, self.y_scale = x_scale, y_scale

    def x(self, value: float) -> float:
        """The pixel of a position."""
        return self.left + (self.right - self.left) * self.x_scale.share(value)

    def y(self, value: float) -> float:
        """The pixel of a value."""
        return self.bottom - (self.bottom - self.top) * self.y_scale.share(value)

    def axes(self, label: str) -> list[str]:
        """The grid and the labels of both axes."""
        parts = []
        for tick in self.y_scale.ticks:
            y = self.y(tick)
            parts.append(f'<path class="cg-grid" d="M{self.left:.1f} {y:.1f}H{self.right:.1f}"/>')
            parts.append(text(self.left - 6, y + 4, self.y_scale.label(tick), anchor="end"))
        for tick in self.x_scale.ticks:
            parts.append(text(self.x(tick), self.bottom + LINE + 2, self.x_scale.label(tick), anchor="middle"))
        middle = (self.left + self.right) / 2
        return [*parts, text(middle, self.bottom + 2 * LINE + 4, label, anchor="middle")]

    def draw(self, series: Series, number: int) -> list[str]:
        """A line with its gaps, or points with their intervals."""
        points = list(zip(series.x, series.y))
        parts = []
        if series.low and series.kind == "line":
            parts.append(self.band(series, number))
        elif series.low:
            bars = [
                f"M{self.x(x):.1f} {self.y(low):.1f}V{self.y(high):.1f}"
                for x, low, high in zip(series.x, series.low, series.high)
                if math.isfinite(low) and math.isfinite(high)
            ]
            parts.append(f'<path class="cg-line cg-{number}" d="{"".join(bars)}"/>')
        known = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        if series.kind == "points" or len(known) == 1:
            radius = 2 if len(known) > 60 else 3
            dots = [f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{radius}"/>' for x, y in known]
            faint = ' opacity=".6"' if len(known) > 60 else ""
            return [*parts, f'<g class="cg-fill cg-{number}"{faint}>{"".join(dots)}</g>']
        path, pen = [], "M"
        for x, y in points:
            if math.isfinite(x) and math.isfinite(y):
                path.append(f"{pen}{self.x(x):.1f} {self.y(y):.1f}")
                pen = "L"
            else:
                pen = "M"
        return [*parts, f'<path class="cg-line cg-{number}" d="{"".join(path)}"/>']

    def band(self, series: Series, number: int) -> str:
        """The areas between the ends of a line's intervals, one for each stretch of positions without a gap."""
        areas, upper, lower = [], list[str](), list[str]()
        for x, low, high in [*zip(series.x, series.low, series.high), (math.nan, math.nan, math.nan)]:
            if all(map(math.isfinite, (x, low, high))):
                upper.append(f"{self.x(x):.1f} {self.y(high):.1f}")
                lower.append(f"{self.x(x):.1f} {self.y(low):.1f}")
            elif upper:
                areas.append(f"M{'L'.join([*upper, *reversed(lower)])}Z")
                upper, lower = [], []
        return f'<path class="cg-fill cg-{number}" opacity=".18" d="{"".join(areas)}"/>'
