"""An ONNX graph under construction, and one op of a trace as its translation sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from cygrad._typing import Array
from cygrad.autograd.engine import Value
from cygrad.autograd.tracing import Place, Step
from cygrad.ops.axes import checked_axis
from cygrad.ops.broadcast import result_type

__all__ = ["Batch", "Call", "Graph", "Operand"]

Sizes = tuple[int, ...]


class Batch(NamedTuple):
    """The axis of the inputs that may have any size, and its sizes in the two traces."""

    axis: int
    sizes: tuple[int, int]


class Operand(NamedTuple):
    """A value: its name in the graph, its shapes in the two traces, and its dtype."""

    name: str
    shape: Sizes
    other: Sizes
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)


class Graph:
    """The nodes and the initializers; names are made unique."""

    def __init__(self, opset: int, names: Mapping[int, str], batch: Batch | None) -> None:
        self.opset = opset
        self.names = names  # of parameters and buffers, by the id of their array
        self.batch = batch
        self.first_input = ""
        self.nodes: list[Any] = []
        self.initializers: dict[str, Array] = {}
        self._numbers: dict[tuple[Any, ...], str] = {}  # constants that are there already
        self._taken: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """The name, with a number behind it if it is taken."""
        count = self._taken.get(name, 0)
        self._taken[name] = count + 1
        return self.unique(f"{name}_{count}") if count else name

    def add(self, kind: str, *inputs: str, count: int = 1, **attributes: Any) -> Any:
        """A node; the name of its output, or a list of names of several."""
        from onnx import helper

        name = self.unique(kind.lower())
        outputs = [self.unique(f"{name}_out")] if count == 1 else [self.unique(f"{name}_out") for _ in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, name=name, **attributes))
        return outputs[0] if count == 1 else outputs

    def constant(self, value: Any, dtype: Any = None, source: Any = None) -> str:
        """The initializer of an array or number; equal small ones are one. `source` is the array that a parameter or
        buffer has, whose name it takes."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= 64 else None
        known = self.names.get(id(source))
        if known is None and key is not None and key in self._numbers:
            return self._numbers[key]
        name = self.unique(known or "constant")
        self.initializers[name] = np.ascontiguousarray(array).reshape(array.shape)
        if known is None and key is not None:
            self._numbers[key] = name
        return name

    def integers(self, *values: int) -> str:
        """A 1-D tensor of int64."""
        return self.constant(np.array(values, np.int64))

    def cast(self, name: str, dtype: Any) -> str:
        """The value in another dtype."""
        return str(self.add("Cast", name, to=tensor_type(dtype)))

    def sizes(self, first: Sequence[int], second: Sequence[int]) -> str:
        """A 1-D tensor of the sizes that have these values in the two traces; one that differs depends linearly on the
        batch's."""
        if tuple(first) == tuple(second):
            return self.integers(*first)
        return str(self.add("Concat", *[self._size(a, b) for a, b in zip(first, second, strict=True)], axis=0))

    def _size(self, a: int, b: int) -> str:
        if a == b:
            return self.integers(a)
        if self.batch is None or (b - a) % (self.batch.sizes[1] - self.batch.sizes[0]):
            raise RuntimeError(f"export: a size that is {a} for one batch and {b} for another can't be told in ONNX")
        slope = (b - a) // (self.batch.sizes[1] - self.batch.sizes[0])
        rest = a - slope * self.batch.sizes[0]
        name = self._batch_size()
        if slope != 1:
            name = str(self.add("Mul", name, self.integers(slope)))
        return str(self.add("Add", name, self.integers(rest))) if rest else name

    def _batch_size(self) -> str:
        assert self.batch is not None
        key = ("batch",)
        if key not in self._numbers:
            axis = self.batch.axis
            self._numbers[key] = str(self.add("Shape", self.first_input, start=axis, end=axis + 1))
        return self._numbers[key]


def tensor_type(dtype: Any) -> int:
    """ONNX's number of a dtype."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


class Call:
    """One step of the trace: its arguments as the op's forward names them, options and defaults among them."""

    def __init__(self, graph: Graph, step: Step, operands: Mapping[int, Operand], outputs: list[Operand]) -> None:
        self.graph = graph
        self.op = step.op
        self.args = [operands[a.number] if isinstance(a, Place) else a for a in step.args]
        self.options = {**step.op.defaults(), **step.options}
        self.outputs = outputs
        self.add = graph.add

    def refuse(self, why: str) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError(f"export: the op {self.op.name} can't be translated {why}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the (first) output."""
        return self.outputs[0].dtype

    def axis(self) -> int:
        """The option dim, one axis counted from the first."""
        ndim = self.tensor().ndim
        if not ndim:
            self.refuse("for a tensor without dimensions")
        return checked_axis(self.op.name, self.options["dim"], ndim)

    def tensor(self, number: int = 0) -> Operand:
        """An argument that must be a tensor."""
        argument = self.args[number] if number < len(self.args) else None
        if not isinstance(argument, Operand):
            self.refuse(f"with a {type(argument).__name__} for argument {number + 1}")
        return argument

    def name(self, number: int = 0, dtype: Any = None) -> str:
        """The name of an argument, a tensor or a number, in a dtype."""
        argument = self.args[number]
        if not isinstance(argument, Operand):
            return self.graph.constant(argument, dtype)
        if dtype is None or argument.dtype == np.dtype(dtype):
            return argument.name
        return self.graph.cast(argument.name, dtype)

    def given(self, number: int) -> bool:
        """Whether there is an argument of that number."""
        return number < len(self.args) and self.args[number] is not None

    def common(self, *numbers: int) -> tuple[list[str], np.dtype[Any]]:
        """The names of arguments in the dtype that they are promoted to, and that dtype."""
        examples = [
            np.empty((1,) if a.ndim else (), a.dtype) if isinstance(a, Operand) else a
            for a in (self.args[n] for n in numbers)
        ]
        dtype = result_type(*examples)
        return [self.name(n, dtype) for n in numbers], dtype

    def number(self, value: Any, dtype: Any = None) -> str:
        """A number as a tensor without dimensions, in the output's dtype unless told otherwise."""
        return self.graph.constant(value, self.dtype if dtype is None else dtype)

    def array(self, value: Any) -> str:
        """An array among the options."""
        array = value.array if isinstance(value, Value) else value
        return self.graph.constant(array, source=array)

    def integers(self, *values: int) -> str:
        """A 1-D tensor of int64."""
        return self.graph.integers(*values)

    def reshaped(self, name: str, first: Sequence[int], second: Sequence[int]) -> str:
        """The value in a shape, given as it is in the two traces."""
        return str(self.add("Reshape", name, self.graph.sizes(first, second)))
