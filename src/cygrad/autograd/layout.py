"""A layered layout of a directed graph without cycles: data flows from left to right, with few crossings.

The stages are those of K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system
structures" (1981). Vertices get layers. Edges that span several layers are cut by bends, which edges from one vertex
share. Each layer is sorted by the barycenters of its neighbors. Vertices move towards their neighbors as far as the
order allows.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Edge", "Layout", "Point", "lay_out"]

ORDERING_SWEEPS = 8
ALIGNING_SWEEPS = 16
SPACING = 16.0  # between two vertices of a layer
CURVE = 52.0  # of a gap between layers, what is left for curves beside the labels
BEND_WEIGHT = 8.0  # how much more a straight run between two bends counts than one at a vertex


Point = tuple[float, float]


class Edge(NamedTuple):
    """An edge from vertex `source` to input `port` of vertex `target`, with a label at one of its ends."""

    source: int
    target: int
    port: int
    label_width: float
    label_at_source: bool


class Layout(NamedTuple):
    """Centers of the vertices, for each edge its points from the source to the target, and the size of the whole."""

    centers: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


class Link(NamedTuple):
    """An edge, or a part of one, between neighboring layers; `share` (0 to 1) is its port's height in the target."""

    source: int
    target: int
    share: float


def lay_out(sizes: Sequence[tuple[float, float]], edges: Sequence[Edge]) -> Layout:
    """Place vertices of these sizes (width, height), listed so that every edge leads to a later one."""
    layers = layers_of(len(sizes), edges)
    ports = [0] * len(sizes)
    for edge in edges:
        ports[edge.target] = max(ports[edge.target], edge.port + 1)
    links, paths = links_between_layers(layers, edges, ports)
    heights = [height for _, height in sizes] + [0.0] * (len(layers) - len(sizes))
    order = ordered(layers, links)
    ys = vertical_positions(order, links, heights)
    columns = column_positions(layers, sizes, edges)
    width = columns[-1][1]

    def port_of(edge: Edge) -> Point:
        left = columns[layers[edge.target]][0]
        offset = (edge.port + 1) / (ports[edge.target] + 1) - 0.5
        inset = (columns[layers[edge.target]][1] - left - sizes[edge.target][0]) / 2
        return left + inset, ys[edge.target] + offset * heights[edge.target]

    routes = []
    for edge, bends in zip(edges, paths):
        left, right = columns[layers[edge.source]]
        points = [((left + right + sizes[edge.source][0]) / 2, ys[edge.source])]
        for bend in bends:
            points += [(x, ys[bend]) for x in columns[layers[bend]]]
        routes.append([*points, port_of(edge)])
    centers = [(sum(columns[layers[v]]) / 2, ys[v]) for v in range(len(sizes))]
    return Layout(centers, routes, width, max(y + h / 2 for y, h in zip(ys, heights)))


def layers_of(count: int, edges: Sequence[Edge]) -> list[int]:
    """The layer of each vertex: one more than its last input's; a vertex without inputs is next to its first use."""
    layers = [0] * count
    outgoing: list[list[int]] = [[] for _ in range(count)]
    has_input = [False] * count
    for edge in edges:
        outgoing[edge.source].append(edge.target)
        has_input[edge.target] = True
    for vertex in range(count):
        for target in outgoing[vertex]:
            layers[target] = max(layers[target], layers[vertex] + 1)
    for vertex in range(count):
        if not has_input[vertex] and outgoing[vertex]:
            layers[vertex] = min([layers[target] for target in outgoing[vertex]]) - 1
    return layers


def links_between_layers(
    layers: list[int], edges: Sequence[Edge], ports: list[int]
) -> tuple[list[Link], list[list[int]]]:
    """The edges as links between neighboring layers, and the bends of each edge; bends are appended to `layers`."""
    bends: dict[tuple[int, int], int] = {}
    links: dict[Link, None] = {}
    paths = []
    for edge in edges:
        path: list[int] = []
        last = edge.source
        for layer in range(layers[edge.source] + 1, layers[edge.target]):
            bend = bends.get((edge.source, layer))
            if bend is None:
                bend = bends[edge.source, layer] = len(layers)
                layers.append(layer)
            links[Link(last, bend, 0.5)] = None
            path.append(bend)
            last = bend
        links[Link(last, edge.target, (edge.port + 1) / (ports[edge.target] + 1))] = None
        paths.append(path)
    return list(links), paths


def ordered(layers: list[int], links: list[Link]) -> list[list[int]]:
    """The vertices of each layer from top to bottom: the order with the fewest crossings of several sweeps."""
    order: list[list[int]] = [[] for _ in range(max(layers) + 1)]
    for vertex, layer in enumerate(layers):
        order[layer].append(vertex)
    to_left, to_right = neighbors(len(layers), links)
    fewest, best = crossings(order, links, layers), [list(layer) for layer in order]
    for sweep in range(ORDERING_SWEEPS):
        if fewest == 0 and sweep:
            break
        rightward = sweep % 2 == 1
        near = to_left if rightward else to_right
        for vertices in order if rightward else reversed(order):
            sort_by_barycenter(vertices, near, order, layers)
        count = crossings(order, links, layers)
        if count <= fewest:
            fewest, best = count, [list(layer) for layer in order]
    return best


def neighbors(count: int, links: list[Link]) -> tuple[list[list[Link]], list[list[Link]]]:
    """For each vertex its links to the layer on the left, and to the layer on the right."""
    to_left: list[list[Link]] = [[] for _ in range(count)]
    to_right: list[list[Link]] = [[] for _ in range(count)]
    for link in links:
        to_left[link.target].append(link)
        to_right[link.source].append(link)
    return to_left, to_right


def sort_by_barycenter(layer: list[int], near: list[list[Link]], order: list[list[int]], layers: list[int]) -> None:
    """Sort a layer by the mean position of each vertex's neighbors; one without neighbors keeps its position."""
    others = {layers[link.source] + layers[link.target] - layers[v] for v in layer for link in near[v]}
    ranks = {v: rank for other in others for rank, v in enumerate(order[other])}
    keys = {}
    for rank, vertex in enumerate(layer):
        positions = [
            ranks[link.target] + link.share if link.source == vertex else ranks[link.source] + 0.5
            for link in near[vertex]
        ]
        keys[vertex] = sum(positions) / len(positions) if positions else rank + 0.5
    layer.sort(key=keys.__getitem__)


def crossings(order: list[list[int]], links: list[Link], layers: list[int]) -> int:
    """How many pairs of links cross."""
    ranks = {vertex: rank for layer in order for rank, vertex in enumerate(layer)}
    by_layer: list[list[tuple[int, float]]] = [[] for _ in order]
    for link in links:
        by_layer[layers[link.source]].append((ranks[link.source], ranks[link.target] + link.share))
    count = 0
    for pairs in by_layer:
        seen: list[float] = []
        for _, target in sorted(pairs):
            count += len(seen) - bisect_right(seen, target)
            insort(seen, target)
    return count


def vertical_positions(order: list[list[int]], links: list[Link], heights: list[float]) -> list[float]:
    """The y of each vertex's center, 0 at the top: close to its neighbors', in the given order, without overlaps."""
    ys = [0.0] * len(heights)
    for layer in order:
        place_layer(layer, [0.0] * len(layer), ys, heights)
    to_left, to_right = neighbors(len(heights), links)
    for sweep in range(ALIGNING_SWEEPS):
        rightward = sweep % 2 == 1
        for layer in order if rightward else reversed(order):
            wanted = []
            for vertex in layer:
                near = to_left[vertex] if rightward else to_right[vertex]
                if sweep >= ALIGNING_SWEEPS - 2:
                    near = to_left[vertex] + to_right[vertex]
                wanted.append(wanted_position(vertex, near, ys, heights))
            place_layer(layer, wanted, ys, heights)
    top = min(y - height / 2 for y, height in zip(ys, heights))
    return [y - top for y in ys]


def wanted_position(vertex: int, near: list[Link], ys: list[float], heights: list[float]) -> float:
    """The y at which a vertex's links would be level, on average."""
    total = weights = 0.0
    for link in near:
        offset = (link.share - 0.5) * heights[link.target]
        y = ys[link.target] + offset if link.source == vertex else ys[link.source] - offset
        weight = BEND_WEIGHT if heights[link.source] == heights[link.target] == 0 else 1.0
        total += weight * y
        weights += weight
    return total / weights if near else ys[vertex]


def place_layer(layer: list[int], wanted: list[float], ys: list[float], heights: list[float]) -> None:
    """Put a layer's vertices as close to the wanted positions as their order and heights allow.

    Least squares: with the distances that must lie between them subtracted, positions must not decrease, which
    pooling adjacent violators solves exactly.
    """
    offsets = [0.0]
    for above, below in pairwise(layer):
        offsets.append(offsets[-1] + (heights[above] + heights[below]) / 2 + SPACING)
    pools: list[tuple[float, int]] = []  # mean, count
    for target, offset in zip(wanted, offsets):
        mean, count = target - offset, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    for vertex, mean, offset in zip(layer, means, offsets):
        ys[vertex] = mean + offset


def column_positions(
    layers: list[int], sizes: Sequence[tuple[float, float]], edges: Sequence[Edge]
) -> list[tuple[float, float]]:
    """Left and right of each layer; the gaps between layers hold the labels of the edges."""
    count = max(layers) + 1
    widths, after, before = [0.0] * count, [0.0] * count, [0.0] * count
    for layer, (width, _) in zip(layers, sizes):
        widths[layer] = max(widths[layer], width)
    for edge in edges:
        if edge.label_at_source:
            after[layers[edge.source]] = max(after[layers[edge.source]], edge.label_width)
        else:
            before[layers[edge.target]] = max(before[layers[edge.target]], edge.label_width)
    columns = []
    x = -before[0]
    for layer in range(count):
        x += before[layer]
        columns.append((x, x + widths[layer]))
        x += widths[layer] + after[layer] + CURVE
    return columns
