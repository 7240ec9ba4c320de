"""An ONNX graph under construction, and a traced op as its translation sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from cygrad._typing import Array
from cygrad.autograd.engine import Value
from cygrad.autograd.tracing import TracedOp, ValueRef
from cygrad.ops.axes import checked_axis
from cygrad.ops.broadcast import result_type

__all__ = ["BatchAxis", "Call", "Graph", "Operand", "tensor_type"]

Shape = tuple[int, ...]


class BatchAxis(NamedTuple):
    """The axis of the inputs that may have any size, and its sizes in the two traces."""

    axis: int
    sizes: tuple[int, int]


class Operand(NamedTuple):
    """A value: its name in the graph, its shapes in the two traces, and its dtype."""

    name: str
    shape: Shape
    other: Shape
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


class Graph:
    """The nodes and initializers of a graph, under unique names."""

    def __init__(self, opset: int, names: Mapping[int, str], batch: BatchAxis | None) -> None:
        self.opset = opset
        self.names = names  # of parameters and buffers, by the id of the array
        self.batch = batch
        self.first_input = ""
        self.nodes: list[Any] = []
        self.initializers: dict[str, Array] = {}
        self._shared: dict[tuple[Any, ...], str] = {}  # names of small constants, by their value
        self._uses: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """`name`, with a number appended if it is in use."""
        count = self._uses.get(name, 0)
        self._uses[name] = count + 1
        return self.unique(f"{name}_{count}") if count else name

    def add(self, kind: str, *inputs: str, count: int = 1, **attributes: Any) -> Any:
        """Adds a node. Returns the name of its output, or a list of the names of several."""
        from onnx import helper

        name = self.unique(kind.lower())
        outputs = [self.unique(f"{name}_out")] if count == 1 else [self.unique(f"{name}_out") for _ in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, name=name, **attributes))
        return outputs[0] if count == 1 else outputs

    def constant(self, value: Any, dtype: Any = None, source: Any = None) -> str:
        """Adds an initializer for an array or number, and returns its name. Small equal constants share one. If
        `source` is the array of a parameter or buffer, the initializer takes that name."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= 64 else None
        state_name = self.names.get(id(source))
        if state_name is None and key is not None and key in self._shared:
            return self._shared[key]
        name = self.unique(state_name or "constant")
        self.initializers[name] = np.ascontiguousarray(array).reshape(array.shape)
        if state_name is None and key is not None:
            self._shared[key] = name
        return name

    def integers(self, *values: int) -> str:
        """A 1-D int64 tensor."""
        return self.constant(np.array(values, np.int64))

    def cast(self, name: str, dtype: Any) -> str:
        """The value cast to a dtype."""
        return str(self.add("Cast", name, to=tensor_type(dtype)))

    def shape(self, first: Sequence[int], second: Sequence[int]) -> str:
        """A 1-D int64 tensor of the sizes `first` in the first trace and `second` in the second. Sizes that differ are
        linear functions of the batch size."""
        if tuple(first) == tuple(second):
            return self.integers(*first)
        return str(self.add("Concat", *[self._size(a, b) for a, b in zip(first, second, strict=True)], axis=0))

    def _size(self, a: int, b: int) -> str:
        if a == b:
            return self.integers(a)
        if self.batch is None or (b - a) % (self.batch.sizes[1] - self.batch.sizes[0]):
            raise RuntimeError(
                f"export: a size that is {a} for one batch size and {b} for another cannot be expressed in ONNX"
            )
        slope = (b - a) // (self.batch.sizes[1] - self.batch.sizes[0])
        intercept = a - slope * self.batch.sizes[0]
        name = self._batch_size()
        if slope != 1:
            name = str(self.add("Mul", name, self.integers(slope)))
        return str(self.add("Add", name, self.integers(intercept))) if intercept else name

    def _batch_size(self) -> str:
        assert self.batch is not None
        key = ("batch",)
        if key not in self._shared:
            axis = self.batch.axis
            self._shared[key] = str(self.add("Shape", self.first_input, start=axis, end=axis + 1))
        return self._shared[key]


def tensor_type(dtype: Any) -> int:
    """The TensorProto.DataType of a dtype."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


class Call:
    """A traced op, with its arguments, and its options including defaults."""

    def __init__(self, graph: Graph, traced: TracedOp, operands: Mapping[int, Operand], outputs: list[Operand]) -> None:
        self.graph = graph
        self.op = traced.op
        self.args = [operands[a.value] if isinstance(a, ValueRef) else a for a in traced.args]
        self.options = {**traced.op.defaults(), **traced.options}
        self.outputs = outputs
        self.add = graph.add

    def refuse(self, reason: str) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError(f"export: the op {self.op.name} cannot be translated {reason}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the (first) output."""
        return self.outputs[0].dtype

    def axis(self) -> int:
        """The option dim as an axis ≥ 0."""
        ndim = self.tensor().ndim
        if not ndim:
            self.refuse("for a tensor without dimensions")
        return checked_axis(self.op.name, self.options["dim"], ndim)

    def tensor(self, position: int = 0) -> Operand:
        """The argument at a position, which must be a tensor."""
        argument = self.args[position] if position < len(self.args) else None
        if not isinstance(argument, Operand):
            self.refuse(f"with a {type(argument).__name__} for argument {position + 1}")
        return argument

    def name(self, position: int = 0, dtype: Any = None) -> str:
        """The name of the argument at a position, a tensor or a number, cast to a dtype."""
        argument = self.args[position]
        if not isinstance(argument, Operand):
            return self.graph.constant(argument, dtype)
        if dtype is None or argument.dtype == np.dtype(dtype):
            return argument.name
        return self.graph.cast(argument.name, dtype)

    def has(self, position: int) -> bool:
        """Whether the argument at a position was passed."""
        return position < len(self.args) and self.args[position] is not None

    def promoted(self, *positions: int) -> tuple[list[str], np.dtype[Any]]:
        """The names of arguments, cast to their common dtype, and that dtype."""
        examples = [
            np.empty((1,) if a.ndim else (), a.dtype) if isinstance(a, Operand) else a
            for a in (self.args[n] for n in positions)
        ]
        dtype = result_type(*examples)
        return [self.name(n, dtype) for n in positions], dtype

    def scalar(self, value: Any, dtype: Any = None) -> str:
        """A number as a 0-d tensor, by default in the output's dtype."""
        return self.graph.constant(value, self.dtype if dtype is None else dtype)

    def array(self, value: Any) -> str:
        """A constant from an array or tensor among the options."""
        array = value.array if isinstance(value, Value) else value
        return self.graph.constant(array, source=array)

    def integers(self, *values: int) -> str:
        """A 1-D int64 tensor."""
        return self.graph.integers(*values)

    def reshape(self, name: str, first: Sequence[int], second: Sequence[int]) -> str:
        """The value reshaped to the shape `first` in the first trace and `second` in the second."""
        return str(self.add("Reshape", name, self.graph.shape(first, second)))
