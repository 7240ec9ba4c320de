"""Charts in SVG, in the colors of a light or a dark page; no package is needed to draw or to show them."""

from cygrad.charts.chart import STYLE, Series, chart

__all__ = ["STYLE", "Series", "chart"]
