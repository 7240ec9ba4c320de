"""The bar chart of the project's README: step times of four networks, from the table in benchmarks/README.md.

    python -m benchmarks.chart benchmarks/README.md docs/step-times.svg

Each panel has its own scale, which starts at zero. The SVG is written by hand, so that it follows the reader's light
or dark color scheme and changes only where the figures do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from cygrad._files import atomic_write

__all__ = ["draw", "main", "step_times"]

NETWORKS = ("4-64-64-2@32", "64-128-64-10@64", "784-256-128-10@64", "784-2048-2048-10@512")
COLORS = {"cygrad compiled": "#0b8a5f", "cygrad": "#3fb68b", "JAX jit": "#8e6bbf", "PyTorch": "#ee4c2c"}
STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}"
    ".title{font-weight:600;font-size:13px}.note{fill:#59636e}"
    "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}}"
)
WIDTH, PANEL_WIDTH, PANEL_HEIGHT = 860, 410, 122
NAME_WIDTH, BAR_WIDTH, BAR_HEIGHT, ROW_HEIGHT = 112, 220, 16, 22
TOP = 40


def step_times(page: str) -> dict[str, dict[str, float]]:
    """Microseconds of a step for each network and library, read from the page's table of full steps.

    Raises ValueError where the page has no such table.
    """
    table = re.search(r"<!-- benchmarks: \^step/ -->\n(.*?)<!-- end of benchmarks -->", page, re.DOTALL)
    if table is None:
        raise ValueError("chart: the page has no table marked <!-- benchmarks: ^step/ -->")
    head, _, *rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table[1].splitlines()]
    return {
        row[0]: {name: microseconds(cell) for name, cell in zip(head, row) if name in COLORS and cell != "–"}
        for row in rows
    }


def microseconds(cell: str) -> float:
    """The time in a cell such as ``1,129 (1.37)``."""
    return float(cell.partition(" ")[0].replace(",", ""))


def duration(time: float) -> str:
    """Microseconds as text of three digits or fewer: 20.1 µs, 776 µs, 1.13 ms, 171 ms."""
    value, unit = (time, "µs") if time < 1000 else (time / 1000, "ms")
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"


def draw(times: dict[str, dict[str, float]]) -> str:
    """The chart as SVG."""
    height = TOP + 2 * PANEL_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'role="img" aria-label="Time of a training step in cygrad, JAX and PyTorch">',
        f"<style>{STYLE}</style>",
        '<text class="title" x="10" y="20">Time of one training step on one core, shorter is better</text>',
    ]
    for number, network in enumerate(NETWORKS):
        x, y = 10 + number % 2 * (PANEL_WIDTH + 20), TOP + number // 2 * PANEL_HEIGHT
        parts += panel(network, times[network], x, y)
    return "\n".join([*parts, "</svg>", ""])


def panel(network: str, times: dict[str, float], x: int, y: int) -> list[str]:
    """One network: its layer sizes and batch size, and a bar for each library."""
    sizes, _, batch = network.partition("@")
    parts = [f'<text class="note" x="{x}" y="{y + 14}">{sizes.replace("-", " – ")}, batch of {batch}</text>']
    longest = max(times.values())
    for row, name in enumerate(name for name in COLORS if name in times):
        top = y + 22 + row * ROW_HEIGHT
        width = BAR_WIDTH * times[name] / longest
        baseline = top + BAR_HEIGHT - 4
        left = x + NAME_WIDTH
        parts += [
            f'<text x="{left - 8}" y="{baseline}" text-anchor="end">{name}</text>',
            f'<rect x="{left}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="2" fill="{COLORS[name]}"/>',
            f'<text x="{left + width + 6:.1f}" y="{baseline}">{duration(times[name])}</text>',
        ]
    return parts


def main(arguments: Sequence[str]) -> int:
    """Draw the chart of a page's table into a file and return the exit code."""
    if len(arguments) != 2:
        print("usage: python -m benchmarks.chart benchmarks/README.md CHART.svg", file=sys.stderr)
        return 2
    page, path = map(Path, arguments)
    with atomic_write("chart", path) as file:
        file.write(draw(step_times(page.read_text(encoding="utf-8"))).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
