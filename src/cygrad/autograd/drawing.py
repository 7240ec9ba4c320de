"""The graph of a result as a picture: every value, and every gradient that flows back, in SVG.

Square boxes are inputs, round ones operations, and data flows from left to right. The gradients come from a separate
backward pass, which changes no ``.grad``, runs no hook and frees nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from cygrad._files import atomic_write
from cygrad._typing import Array
from cygrad.autograd import recording
from cygrad.autograd.engine import Node, Value
from cygrad.autograd.svg import Vertex, Wire, shown, svg_of

__all__ = ["Drawing", "draw"]

MOST_OPERATIONS = 2000


class Drawing:
    """The picture of a graph. A notebook shows it, ``save`` writes it, and ``print`` lists it as text.

    Args:
        svg: the picture.
        text: the same as lines of text.
        operations: number of operations.
    """

    def __init__(self, svg: str, text: str, operations: int) -> None:
        self.svg = svg
        self.operations = operations
        self._text = text

    def _repr_svg_(self) -> str:
        """The picture, for notebooks."""
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, whole or not at all.

        Raises:
            ValueError: if the path does not end in ``.svg``.
        """
        if not os.fspath(path).endswith(".svg"):
            raise ValueError(f"save: the path of a drawing must end in .svg, got {os.fspath(path)!r}")
        with atomic_write("save", path) as file:
            file.write(self.svg.encode())

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        plural = "" if self.operations == 1 else "s"
        return f"<drawing of {self.operations} operation{plural}: print it, or save it with .save('graph.svg')>"


def draw(output: Value, names: Mapping[str, Value] | None = None, gradient: Array | None = None) -> Drawing:
    """Draw the graph that computed `output`, with its values and gradients.

    Operations keep arguments of up to 64 elements, whose values are shown. Of larger arrays the picture shows shape
    and dtype. It is made before ``backward``, which frees the graph.

    Args:
        output: the result whose graph is drawn.
        names: names for inputs and intermediate results; ``dict(model.named_parameters())`` fits.
        gradient: the gradient at `output`, of its shape; default 1 for a single element, and no gradients otherwise.

    Raises:
        RuntimeError: if `output` is a leaf, its graph was freed by ``backward``, or it has more than 2,000 operations.
        ValueError: if `gradient` has another shape than `output`.
    """
    if output.node is None:
        raise RuntimeError("graph: the tensor is a leaf; no operation computed it")
    recording.reading("graph")
    nodes = nodes_of(output.node)
    upstream = upstream_of(output, gradient)
    flow = gradients_of(nodes, output, upstream) if upstream is not None else Flow({}, {}, {})
    vertices, edges = vertices_of(nodes, output, names or {}, flow)
    return Drawing(svg_of(vertices, edges), text_of(vertices, edges), len(nodes))


# Reading the graph


class Flow(NamedTuple):
    """Gradients: the sum at each output of a node, the sum at each leaf, and what each input of a node passes on."""

    nodes: dict[Node, list[Array | None]]
    leaves: dict[Value, Array]
    inputs: dict[tuple[Node, int], Array]


def nodes_of(last: Node) -> list[Node]:
    """All nodes from which `last` was computed, inputs before their consumers; a loop, for graphs of any depth."""
    found = {last: None}
    waiting = [last]
    while waiting:
        node = waiting.pop()
        if node.freed:
            raise RuntimeError("graph: backward has freed it; draw it before, or call backward with retain_graph=True")
        for edge in node.edges:
            if isinstance(edge, Node) and edge not in found:
                found[edge] = None
                waiting.append(edge)
        if len(found) > MOST_OPERATIONS:
            raise RuntimeError(f"graph: more than {MOST_OPERATIONS:,} operations are too many to draw")
    return sorted(found, key=lambda node: node.depth)


def upstream_of(output: Value, gradient: Array | None) -> Array | None:
    """The gradient at the output, None where there is none."""
    array = output.array
    if gradient is not None:
        if gradient.shape != array.shape:
            raise ValueError(f"graph: gradient must have the output's shape {array.shape}, got {gradient.shape}")
        return gradient
    return np.ones(array.shape, array.dtype) if array.size == 1 else None


def gradients_of(nodes: list[Node], output: Value, upstream: Array) -> Flow:
    """A backward pass that only looks."""
    received: dict[Node, list[Array | None]] = {}
    leaves: dict[Value, Array] = {}
    passed: dict[tuple[Node, int], Array] = {}

    def deliver(target: Node | Value, index: int, array: Array) -> None:
        if isinstance(target, Node):
            arrays = received.setdefault(target, [None] * (1 if target.outputs is None else len(target.outputs)))
            before = arrays[index]
            arrays[index] = array if before is None else np.asarray(before + array)
        else:
            leaves[target] = np.asarray(leaves[target] + array) if target in leaves else array

    assert output.node is not None
    deliver(output.node, output.index, upstream)
    for node in reversed(nodes):
        if node not in received:
            continue
        results = node.input_gradients(list(received[node]))
        for port, ((edge, index), result) in enumerate(zip(node.sources, results)):
            if edge is not None and result is not None:
                passed[node, port] = np.asarray(result)
                deliver(edge, index, passed[node, port])
    return Flow(received, leaves, passed)


def vertices_of(
    nodes: list[Node], output: Value, names: Mapping[str, Value], flow: Flow
) -> tuple[list[Vertex], list[Wire]]:
    """The vertices, inputs before their consumers, and the wires between them."""
    values = values_of(nodes, output)
    of_arrays = {id(value.array): name for name, value in names.items() if value.node is None}
    of_outputs = {(value.node, value.index): name for name, value in names.items() if value.node is not None}
    vertices: list[Vertex] = []
    wires: list[Wire] = []
    numbers: dict[Any, int] = {}

    def number_of(key: Any, vertex: Vertex) -> int:
        if key not in numbers:
            numbers[key] = len(vertices)
            vertices.append(vertex)
        return numbers[key]

    def source_of(edge: Node | Value | None, index: int, arg: Any) -> tuple[int, Any]:
        """The vertex that an input comes from, and its value."""
        if isinstance(edge, Node):
            return numbers[edge], values.get((edge, index))
        if edge is not None:
            name = of_arrays.get(id(edge.array), "leaf")
            vertex = Vertex("leaf", name, name, edge.array, flow.leaves.get(edge))
            return number_of(edge, vertex), edge.array
        if isinstance(arg, np.ndarray):
            name = of_arrays.get(id(arg), "input")
            return number_of(id(arg), Vertex("input", name, name, arg, None)), arg
        return number_of(object(), Vertex("input", shown(arg), shown(arg), None, None)), arg

    for position, node in enumerate(nodes, 1):
        args = getattr(node, "args", None) or [None] * len(node.edges)
        inputs = [
            (port, source_of(edge, index, arg))
            for port, ((edge, index), arg) in enumerate(zip(node.sources, args))
            if edge is not None or arg is not None
        ]
        title = " = ".join([*[of_outputs[key] for key in outputs_of(node) if key in of_outputs], node.op.name])
        single = node.outputs is None
        gradient = flow.nodes[node][0] if single and node in flow.nodes else None
        kind = "operation cg-result" if node is output.node else "operation"
        name = of_outputs.get((node, 0), f"%{position}")
        target = number_of(node, Vertex(kind, title, name, values.get((node, 0)) if single else None, gradient))
        for drawn, (port, (source, value)) in enumerate(inputs):
            wires.append(Wire(source, target, drawn, value, flow.inputs.get((node, port))))
    return vertices, wires


def outputs_of(node: Node) -> list[tuple[Node, int]]:
    return [(node, index) for index in range(1 if node.outputs is None else len(node.outputs))]


def values_of(nodes: list[Node], output: Value) -> dict[tuple[Node, int], Array]:
    """The outputs of nodes, as far as the operations that used them kept them."""
    values = {
        (edge, index): arg
        for node in nodes
        for (edge, index), arg in zip(node.sources, getattr(node, "args", None) or ())
        if isinstance(edge, Node)
    }
    assert output.node is not None
    values[output.node, output.index] = output.array
    return values


def text_of(vertices: list[Vertex], wires: list[Wire]) -> str:
    """A line for each vertex: its name, how it was computed, its value, its gradient."""
    inputs: dict[int, list[str]] = {}
    for wire in wires:
        inputs.setdefault(wire.target, []).append(vertices[wire.source].name)
    rows = [("", "", "value", "gradient")]
    for number, vertex in enumerate(vertices):
        if number not in inputs and vertex.value is None:
            continue  # a number, which stands where it is used
        operation = vertex.title.rpartition(" = ")[2]
        call = f"{operation}({', '.join(inputs[number])})" if number in inputs else ""
        gradient = "" if vertex.gradient is None else shown(vertex.gradient)
        rows.append((vertex.name, call, "" if vertex.value is None else shown(vertex.value), gradient))
    widths = [max([len(row[column]) for row in rows]) for column in range(4)]
    return "\n".join(["  ".join([cell.ljust(width) for cell, width in zip(row, widths)]).rstrip() for row in rows])
