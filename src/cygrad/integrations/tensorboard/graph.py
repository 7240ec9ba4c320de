"""The computation graph of a model, for TensorBoard's graphs plugin."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from cygrad.autograd import Node, enable_grad
from cygrad.integrations.tensorboard.protobuf import data, integer
from cygrad.integrations.tracker import tensors_in
from cygrad.nn.module import Module
from cygrad.random import get_rng_state, set_rng_state
from cygrad.tensor import Tensor

__all__ = ["Box", "graph_def", "trace_boxes"]


class Box(NamedTuple):
    """A node of the drawing. Slashes in its name separate nested modules; inputs are names of other nodes."""

    name: str
    op: str
    inputs: list[str]
    shape: tuple[int, ...] | None


def graph_def(boxes: list[Box]) -> bytes:
    """A GraphDef: tensorflow/core/framework/graph.proto."""
    return b"".join(data(1, node_def(box)) for box in boxes) + data(4, integer(1, 22))


def node_def(box: Box) -> bytes:
    inputs = b"".join(data(3, name) for name in box.inputs)
    return data(1, box.name) + data(2, box.op) + inputs + (b"" if box.shape is None else shape_attribute(box.shape))


def shape_attribute(shape: tuple[int, ...]) -> bytes:
    """The attribute with the sizes shown at the edges."""
    dimensions = b"".join(data(2, integer(1, size)) for size in shape)
    return data(5, data(1, "_output_shapes") + data(2, data(1, data(7, dimensions))))


def trace_boxes(model: Module, inputs: tuple[Any, ...]) -> list[Box]:
    """Runs a forward pass and returns a box for each operation, parameter, input and output, in order of execution.

    The pass uses a copy of the model in its current mode; the model and the random state do not change.

    >>> [box.name for box in trace_boxes(cg.nn.Linear(2, 1), (cg.zeros(4, 2),))]
    ['input', 'Linear/weight', 'Linear/bias', 'Linear/linear', 'output']
    """
    copied, state = copy.deepcopy(model), get_rng_state()
    try:
        with enable_grad():
            return Tracer(copied).trace(inputs)
    finally:
        set_rng_state(state)


class Tracer:
    """Follows one forward pass."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.scopes = scopes_of(model)
        self.owners: dict[Node, str] = {}
        self.shapes: dict[Node, tuple[int, ...]] = {}
        self.before: list[set[Any]] = []  # nodes of the inputs of each running module
        self.titles: dict[int, tuple[str, str]] = {}  # name and kind of each leaf
        for name, parameter in model.named_parameters():
            parameter.requires_grad = True
            owner, _, last = name.rpartition(".")
            self.titles[id(parameter)] = f"{self.scopes[owner]}/{last}", "Parameter"
        for name, module in model.named_modules():
            module.register_forward_pre_hook(self._enter)
            module.register_forward_hook(self._leaver(self.scopes[name]))

    def _enter(self, module: Module, args: tuple[Any, ...]) -> None:
        self.before.append({x.node for x in tensors_in(args)})

    def _leaver(self, scope: str) -> Any:
        def leave(module: Module, args: tuple[Any, ...], result: Any) -> None:
            before = self.before.pop()
            pending: list[Any] = []
            for x in tensors_in(result):
                if x.node is not None:
                    self.shapes.setdefault(x.node, x.array.shape)
                    pending.append(x.node)
            while pending:
                node = pending.pop()
                if isinstance(node, Node) and node not in before and node not in self.owners:
                    self.owners[node] = scope
                    pending += [edge for edge in node.edges if edge is not None]

        return leave

    def trace(self, inputs: tuple[Any, ...]) -> list[Box]:
        """Calls the model and returns the boxes."""
        tensors = [x if isinstance(x, Tensor) else Tensor(np.asarray(x)) for x in inputs]
        # A clone has a node and can be written to in place.
        tracked = [Tensor(x.array).requires_grad_().clone() if x.array.dtype.kind == "f" else x for x in tensors]
        names = ["input" if len(tracked) == 1 else f"input_{i}" for i in range(len(tracked))]
        boxes = [Box(name, "Input", [], x.array.shape) for name, x in zip(names, tracked, strict=True)]
        known: dict[Any, str] = {x.node: name for name, x in zip(names, tracked, strict=True) if x.node is not None}
        results = [x for x in tensors_in(self.model(*tracked)) if x.node is not None]
        if not results:
            raise ValueError("add_graph: the model's output does not depend on a parameter or a float input")
        used = set(names)
        for source in topological_order([x.node for x in results], known):
            box = self._box(source, known, used)
            known[source] = box.name
            boxes.append(box)
        for number, x in enumerate(results):
            name = "output" if len(results) == 1 else f"output_{number}"
            boxes.append(Box(name, "Output", [reference(known, (x.node, x.index))], x.array.shape))
        return boxes

    def _box(self, source: Any, known: dict[Any, str], used: set[str]) -> Box:
        if not isinstance(source, Node):
            name, kind = self.titles.get(id(source), ("constant", "Constant"))
            return Box(unique_name(name, used), kind, [], source.array.shape)
        name = unique_name(f"{self.owners.get(source, self.scopes[''])}/{source.op.name}", used)
        inputs = [reference(known, edge) for edge in source.sources if edge[0] is not None]
        return Box(name, source.op.name, inputs, self.shapes.get(source))


def scopes_of(model: Module) -> dict[str, str]:
    """The path of each module in the drawing, such as "Sequential/Linear[0]", by its dotted name."""
    result = {"": type(model).__name__}
    for name, module in model.named_modules(remove_duplicate=False):
        if name:
            parent, _, last = name.rpartition(".")
            result[name] = f"{result[parent]}/{type(module).__name__}[{last}]"
    return result


def topological_order(ends: list[Any], known: dict[Any, str]) -> Iterator[Any]:
    """The nodes and leaves that `ends` depend on, each after its inputs. A loop, because graphs may be deep."""
    seen = set(known)
    pending = [(end, False) for end in reversed(ends)]
    while pending:
        source, ready = pending.pop()
        if ready:
            yield source
        elif source not in seen:
            seen.add(source)
            pending.append((source, True))
            if isinstance(source, Node):
                pending += [(edge, False) for edge in reversed(source.edges) if edge is not None]


def reference(known: dict[Any, str], edge: tuple[Any, int]) -> str:
    """The name of an input, with an index for results after the first."""
    name = known[edge[0]]
    return f"{name}:{edge[1]}" if edge[1] else name


def unique_name(name: str, used: set[str]) -> str:
    """`name`, with a number appended if it is in use."""
    result, number = name, 0
    while result in used:
        number += 1
        result = f"{name}_{number}"
    used.add(result)
    return result
