"""Parts of a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from cygrad.report.findings import Estimate

__all__ = ["bar_row", "interval_of", "number", "section", "table"]


def section(title: str, *parts: str) -> str:
    """A section with a heading; the parts are HTML."""
    return f"<section>\n<h2>{escape(title)}</h2>\n{chr(10).join(filter(None, parts))}\n</section>"


def number(value: float | None, digits: int = 4) -> str:
    """A number as text, "–" if there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        text = f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
    else:
        text = f"{value:.{digits - 1}g}"
    return text.replace("-", "−")


def interval_of(estimate: Estimate, digits: int = 3) -> str:
    """The ends of an interval as HTML, nothing if it is unknown."""
    _, low, high = estimate
    if low is None or high is None:
        return ""
    return f'<span class="interval">{number(low, digits)} to {number(high, digits)}</span>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", text: Sequence[int] = ()) -> str:
    """A table; the first cell of a row is its head. Cells are HTML, heads are text; `text` are the columns of text."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = []
    for first, *cells in rows:
        row = "".join(
            f"<td{' class=text' if number in text else ''}>{cell}</td>" for number, cell in enumerate(cells, 1)
        )
        body.append(f"<tr><th>{first}</th>{row}</tr>")
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}'
        "</tbody></table></div>"
    )


def bar_row(name: str, estimate: Estimate, least: float, most: float, shown: str, suspect: bool = False) -> str:
    """A row of a table of bars, from `least` to `most`: a name, a bar with its interval, and a number.

    Args:
        name: text.
        estimate: length of the bar, and the ends of its interval.
        least: at the left end of all bars, at most 0.
        most: at the right end.
        shown: the number, as HTML.
        suspect: whether the bar has the color of a warning.
    """
    value, low, high = estimate
    width = max(most - least, 1e-300)

    def x(position: float) -> float:
        return 100 * (min(max(position, least), most) - least) / width

    start, end = sorted((x(0.0), x(value or 0.0)))
    bar = f'<rect class="bar{" suspect" * suspect}" x="{start:.2f}" y="5" width="{end - start:.2f}" height="12"/>'
    whisker = "" if low is None or high is None else f'<path class="whisker" d="M{x(low):.2f} 11H{x(high):.2f}"/>'
    zero = f'<path class="zero" d="M{x(0.0):.2f} 0V22"/>'
    svg = f'<svg viewBox="0 0 100 22" preserveAspectRatio="none" aria-hidden="true">{zero}{bar}{whisker}</svg>'
    return f'<tr><th>{escape(name)}</th><td>{svg}</td><td class="number">{shown}</td></tr>'
