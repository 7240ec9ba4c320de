"""A graph's vertices and wires in SVG, in the colors of a light or a dark page."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cygrad._typing import Array
from cygrad.autograd.layout import Edge, Point, lay_out

__all__ = ["Vertex", "Wire", "shown", "svg_of"]

LONGEST_TITLE, LONGEST_VALUE = 24, 26  # characters
CHARACTER, LINE, PADDING = 6.7, 15, 8  # pixels; text is set in a monospaced font of 11 pixels
MARGIN, LABEL_INSET, ARROW = 16, 6, 7
STYLE = """
.cg-graph text{font:11px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328}
.cg-graph .cg-page{fill:#ffffff}.cg-graph .cg-title{font-weight:600}.cg-graph .cg-gradient{fill:#cf222e}
.cg-graph .cg-label{paint-order:stroke;stroke:#ffffff;stroke-width:3px;stroke-linejoin:round}
.cg-graph path{fill:none;stroke:#8c959f;stroke-width:1.2}.cg-graph marker path{fill:#8c959f;stroke:none}
.cg-graph rect{stroke-width:1.2}.cg-graph .cg-operation{fill:#ddf4ff;stroke:#54aeff}
.cg-graph .cg-leaf{fill:#fff8c5;stroke:#d4a72c}.cg-graph .cg-input{fill:#f6f8fa;stroke:#8c959f;stroke-dasharray:4 2}
.cg-graph .cg-result{stroke-width:2.4}
@media(prefers-color-scheme:dark){
.cg-graph text{fill:#e6edf3}.cg-graph .cg-page{fill:#0d1117}.cg-graph .cg-gradient{fill:#ff7b72}
.cg-graph .cg-label{stroke:#0d1117}.cg-graph .cg-operation{fill:#12294a;stroke:#388bfd}
.cg-graph .cg-leaf{fill:#332a0c;stroke:#bb8009}.cg-graph .cg-input{fill:#161b22;stroke:#8b949e}}
""".replace("\n", "")


class Vertex(NamedTuple):
    """An input or an operation: its CSS class, title, name in the text, and array or number (None where unknown)."""

    kind: str
    title: str
    name: str
    value: Any
    gradient: Array | None


class Wire(NamedTuple):
    """Data that flows from one vertex to an input of another."""

    source: int
    target: int
    port: int
    value: Any
    gradient: Array | None


def shown(value: Any) -> str:
    """A number or small array as text, of a larger array the shape and dtype."""
    if isinstance(value, np.ndarray) and value.size > LONGEST_VALUE:
        return described(value)
    text = listed(value)
    return text if len(text) <= LONGEST_VALUE or not isinstance(value, np.ndarray) else described(value)


def described(array: Array) -> str:
    return f"{array.shape} {array.dtype}".replace(",)", ")")


def listed(value: Any) -> str:
    """All elements, with five digits."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"[{', '.join([listed(item) for item in value])}]"
    if isinstance(value, (float, np.floating)) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        return f"{float(value):.5g}"
    return str(value)


def shortened(title: str) -> str:
    """A title without its middle, where it is too long."""
    half = LONGEST_TITLE // 2
    return title if len(title) <= LONGEST_TITLE else f"{title[: half - 1]}…{title[-half:]}"


def lines_of(value: Any, gradient: Array | None) -> list[tuple[str, str]]:
    """Lines of text with their CSS classes."""
    lines = [] if value is None else [("cg-value", shown(value))]
    return lines if gradient is None else [*lines, ("cg-gradient", f"∂ {shown(gradient)}")]


def svg_of(vertices: list[Vertex], wires: list[Wire]) -> str:
    """The picture."""
    labels = [lines_of(wire.value, wire.gradient) for wire in wires]
    uses = [0] * len(vertices)
    for wire in wires:
        uses[wire.source] += 1
    edges = [
        Edge(wire.source, wire.target, wire.port, widest(lines), uses[wire.source] == 1)
        for wire, lines in zip(wires, labels)
    ]
    ports = [0] * len(vertices)
    for wire in wires:
        ports[wire.target] = max(ports[wire.target], wire.port + 1)
    boxes = [[("cg-title", shortened(v.title)), *lines_of(v.value, v.gradient)] for v in vertices]
    sizes = [
        (widest(lines) + 2 * PADDING, max(len(lines) * LINE + PADDING, 32.0 * count))
        for lines, count in zip(boxes, ports)
    ]
    layout = lay_out(sizes, edges)
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cg-graph" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="computation graph">',
        f"<style>{STYLE}</style>",
        f'<defs><marker id="cg-arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="{ARROW}" markerHeight="{ARROW}" '
        'orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
        f'<rect class="cg-page" width="{width:.0f}" height="{height:.0f}"/>',
        f'<g transform="translate({MARGIN} {MARGIN})">',
    ]
    drawn: set[tuple[int, tuple[float, float]]] = set()
    for wire, edge, lines, route in zip(wires, edges, labels, layout.routes):
        parts.append(curve(with_run(undrawn(route, edge.source, drawn), edge)))
        parts.append(label(wire, lines, route, edge.label_at_source))
    parts += [box(*entry) for entry in zip(vertices, boxes, layout.centers, sizes)]
    return "\n".join([*parts, "</g>", "</svg>", ""])


def widest(lines: list[tuple[str, str]]) -> float:
    """The width of the longest line in pixels; wide characters of East Asian scripts count twice."""
    return max([sum([1 + (character > "\u2e80") for character in text]) for _, text in lines], default=0) * CHARACTER


def undrawn(route: list[Point], source: int, drawn: set[tuple[int, Point]]) -> list[Point]:
    """The part of a route that no route from the same source has drawn yet; adds its points to `drawn`."""
    start = len(route) - 1
    while start > 0 and (source, route[start]) not in drawn:
        drawn.add((source, route[start]))
        start -= 1
    return route[start:]


def with_run(route: list[Point], edge: Edge) -> list[Point]:
    """A route with a level run under its label, at one of its ends."""
    if edge.label_at_source:
        x, y = route[0]
        return [(x, y), (x + edge.label_width + LABEL_INSET, y), *route[1:]]
    x, y = route[-1]
    return [*route[:-1], (x - edge.label_width - ARROW - LABEL_INSET, y), (x, y)]


def curve(route: list[Point]) -> str:
    """A wire: horizontal where it leaves and arrives."""
    (x, y), *rest = route
    path = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in rest:
        middle = (x + to_x) / 2
        path += f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
    return f'<path d="{path}" marker-end="url(#cg-arrow)"/>'


def box(vertex: Vertex, lines: list[tuple[str, str]], center: tuple[float, float], size: tuple[float, float]) -> str:
    """A vertex: its frame and its lines; the tooltip has all elements and the whole title."""
    (x, y), (width, height) = center, size
    radius = min(height / 2, 14) if vertex.kind.startswith("operation") else 2
    first = y - (len(lines) - 1) * LINE / 2 + 4
    parts = [
        "<g>",
        tooltip(vertex.title, vertex.value, vertex.gradient),
        f'<rect class="cg-{vertex.kind}" x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{radius:.0f}"/>',
    ]
    for number, (style, text) in enumerate(lines):
        parts.append(line(style, x, first + number * LINE, "middle", text))
    return "".join([*parts, "</g>"])


def label(wire: Wire, lines: list[tuple[str, str]], route: list[Point], at_source: bool) -> str:
    """A wire's value above it and its gradient below it, at the end where no other wire is."""
    (x, y), anchor = (route[0], "start") if at_source else (route[-1], "end")
    x += LABEL_INSET if at_source else -ARROW - LABEL_INSET
    parts = ["<g>", tooltip("", wire.value, wire.gradient)]
    for style, text in lines:
        baseline = y + 12 if style == "cg-gradient" else y - 4
        parts.append(line(f"cg-label {style}", x, baseline, anchor, text))
    return "".join([*parts, "</g>"])


def line(style: str, x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def escape(text: str) -> str:
    """Text as the content of an XML element; the module html would take longer to import than all of this."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def tooltip(title: str, value: Any, gradient: Array | None) -> str:
    """The whole title and all elements, shown while the pointer is over it."""
    lines = [title] if title else []
    for name, array in (("value", value), ("gradient", gradient)):
        if isinstance(array, np.ndarray):
            lines.append(f"{name} {listed(array) if array.size <= 64 else described(array)}")
    return f"<title>{escape(chr(10).join(lines))}</title>" if lines else ""
