"""``export``: a model as an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cygrad._files import atomic_write
from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.autograd.tracing import Step, Trace, trace
from cygrad.integrations.onnx.graph import Batch, Call, Graph, Operand, tensor_type
from cygrad.integrations.onnx.translations import TRANSLATIONS
from cygrad.nn.module import Module
from cygrad.tensor import Tensor
from cygrad.train.evaluation import Evaluating

__all__ = ["OPSETS", "export"]

OPSETS = range(17, 22)
IR_VERSION = 10
MOST_BYTES = 2**31 - 1  # of a protocol buffer
BATCHES = 2, 3, 5  # sizes of the batch in the two traces, and in the check


def export(
    model: Module,
    path: str | os.PathLike[str],
    example: Any,
    *,
    opset: int = 21,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    batch_axis: int | None = 0,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
) -> None:
    """Writes the model, in evaluation mode, as an ONNX file of IR version 10.

    Args:
        example: an input, tensor or array; or a tuple of several; or the shape of one, a tuple of integers, which
            stands for float32. Its numbers matter little, but integers must be ones that the model takes.
        opset: 17 to 21.
        input_names, output_names: ``input`` and ``output`` by default, with a number behind where there are several.
        batch_axis: the axis of every input that may have any size afterwards; None fixes all sizes to the example's.
        metadata: properties to keep in the file.
        check: runs the graph in onnx's own evaluator and compares.

    The model's forward is run twice, on batches of different sizes and numbers, and the ops that it applies are
    recorded and translated. So any Python in it will do, if it does the same both times.

    Raises NotImplementedError, naming the op, where one has no translation; RuntimeError where what the model does
    depends on the input in a way that a graph can't tell, or the graph gives other numbers than the model.

    >>> import os, tempfile
    >>> model = cg.nn.Sequential(cg.nn.Linear(4, 8), cg.nn.ReLU(), cg.nn.Linear(8, 2))
    >>> path = os.path.join(tempfile.mkdtemp(), "model.onnx")
    >>> export(model, path, (1, 4))
    """
    package()
    if opset not in OPSETS:
        raise ValueError(f"export: opset must lie in {OPSETS[0]} to {OPSETS[-1]}, got {opset}")
    arrays = examples(example)
    for array in arrays:
        if batch_axis is not None and not 0 <= batch_axis < array.ndim:
            raise ValueError(f"export: an input of shape {array.shape} has no axis {batch_axis} for the batch")
    names = named(input_names, "input", len(arrays))
    samples = [varied(arrays, number, batch_axis) for number in range(3)]
    with Evaluating(model):
        first, _ = trace(model, *[Tensor(array) for array in samples[0]])
        second, _ = trace(model, *[Tensor(array) for array in samples[1]])
        proto = translated(model, first, second, opset, batch_axis, names, output_names)
        for key, value in (metadata or {}).items():
            proto.metadata_props.add(key=key, value=value)
        verify(proto)
        if check:
            compare(model, proto, names, samples[2])
    with atomic_write("export", path) as file:
        file.write(proto.SerializeToString())


def package() -> Any:
    """The package onnx."""
    try:
        import onnx
        import onnx.checker
    except ImportError:
        raise ImportError("export: ONNX needs the package onnx: pip install 'cygrad[onnx]'") from None
    return onnx


# Inputs


def examples(example: Any) -> list[Array]:
    """The arrays of the example inputs."""
    if isinstance(example, tuple) and example and all(type(n) is int for n in example):
        return [np.zeros(example, np.float32)]
    items = example if isinstance(example, (tuple, list)) else (example,)
    for item in items:
        if not isinstance(item, (Tensor, np.ndarray)):
            raise TypeError(f"export: the example must be a tensor, several, or a shape, got {type(item).__name__}")
    if not items:
        raise ValueError("export: at least one example input is needed, got none")
    return [item.array if isinstance(item, Tensor) else item for item in items]


def varied(arrays: Sequence[Array], number: int, batch_axis: int | None) -> list[Array]:
    """Inputs like the examples, other ones for each number: all change their places, floats become smaller too; where
    all floats are 0, N(0, 1) takes their place."""
    random = np.random.default_rng(number)
    results = []
    for array in arrays:
        x = array
        if batch_axis is not None:
            rows = np.arange(BATCHES[number]) % max(x.shape[batch_axis], 1)
            if not x.shape[batch_axis] and x.dtype.kind != "f":
                raise ValueError(f"export: an example of integers needs at least one row, got shape {x.shape}")
            shape = [BATCHES[number] if axis == batch_axis else n for axis, n in enumerate(x.shape)]
            x = np.take(x, rows, batch_axis) if x.size else np.zeros(shape, x.dtype)
        shuffled = random.permutation(x.reshape(-1)).reshape(x.shape)
        if x.dtype.kind == "f":
            drawn = shuffled * random.uniform(0.5, 1, x.shape) if x.any() else random.standard_normal(x.shape)
            results.append(np.asarray(drawn, x.dtype))
        else:
            results.append(shuffled)
    return results


def named(names: Sequence[str] | None, stem: str, count: int) -> list[str]:
    """The names given, or the stem, with numbers where there are several."""
    if names is None:
        return [stem] if count == 1 else [f"{stem}_{number}" for number in range(count)]
    if isinstance(names, str) or len(names) != count or len(set(names)) != count or not all(names):
        raise ValueError(f"export: {count} different {stem} names are needed, got {names!r}")
    return list(names)


# Translation


def translated(
    model: Module,
    first: Trace,
    second: Trace,
    opset: int,
    batch_axis: int | None,
    input_names: Sequence[str],
    output_names: Sequence[str] | None,
) -> Any:
    """The ONNX model of two traces."""
    from onnx import helper, numpy_helper

    check_alike(first, second)
    states = [*model.named_parameters(), *model.named_buffers()]
    batch = None if batch_axis is None else Batch(batch_axis, BATCHES[:2])
    graph = Graph(opset, {id(value.array): name for name, value in states}, batch)
    outputs = named(output_names, "output", len(first.outputs))
    for name in (*input_names, *outputs):
        if graph.unique(name) != name:
            raise ValueError(f"export: {name!r} names both an input and an output")
    graph.first_input = input_names[0]
    operands: dict[int, Operand] = {}
    for number, name in zip(first.inputs, input_names):
        operands[number] = operand(first, second, number, name)
    for number in sorted(first.constants):
        operands[number] = operand(first, second, number, constant(graph, first, second, number))
    for step in first.steps:
        translate(graph, step, first, second, operands)
    # An output may be an input, or one value twice.
    for number, name in zip(first.outputs, outputs):
        graph.nodes.append(helper.make_node("Identity", [operands[number].name], [name], name=f"to_{name}"))
    ends = [operands[number]._replace(name=name) for number, name in zip(first.outputs, outputs)]
    weights = [numpy_helper.from_array(array, name) for name, array in graph.initializers.items()]
    if sum(array.nbytes for array in graph.initializers.values()) > MOST_BYTES - 2**20:
        raise ValueError("export: the weights are larger than the 2 GiB that an ONNX file holds")
    made = helper.make_graph(
        graph.nodes,
        type(model).__name__,
        [described(operands[number], graph) for number in first.inputs],
        [described(end, graph) for end in ends],
        weights,
    )
    return helper.make_model(
        made,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", opset)],
        producer_name="cygrad",
        producer_version=__version__,
    )


def operand(first: Trace, second: Trace, number: int, name: str) -> Operand:
    """A value of both traces."""
    array = first.arrays[number]
    return Operand(name, array.shape, second.arrays[number].shape, array.dtype)


def constant(graph: Graph, first: Trace, second: Trace, number: int) -> str:
    """The initializer of a constant; one of the batch's size, if it holds one number alone, is made by a node."""
    a, b = first.arrays[number], second.arrays[number]
    if a.shape == b.shape and same(a, b):
        return graph.constant(a, source=first.sources[number])
    if a.ndim == b.ndim and a.size and b.size and (a == a.flat[0]).all() and (b == a.flat[0]).all():
        from onnx import numpy_helper

        value = numpy_helper.from_array(a.reshape(-1)[:1])
        return str(graph.add("ConstantOfShape", graph.sizes(a.shape, b.shape), value=value))
    raise RuntimeError(
        f"export: a tensor of shape {a.shape} is different for different inputs, but was not computed by ops alone; "
        "forward must not go by way of numpy(), item() or random numbers"
    )


def translate(graph: Graph, step: Step, first: Trace, second: Trace, operands: dict[int, Operand]) -> None:
    """Adds the nodes of one step, and its outputs to the operands."""
    outputs = [operand(first, second, number, "") for number in step.outputs]
    result = TRANSLATIONS[step.op](Call(graph, step, operands, outputs))
    results = result if isinstance(result, list) else [result]
    for number, output, name in zip(step.outputs, outputs, results, strict=True):
        operands[number] = output._replace(name=name)


# Options that follow from the shapes, which both traces have.
FROM_SHAPES = {"reshape": "shape", "expand": "size"}


def check_alike(first: Trace, second: Trace) -> None:
    """Raises RuntimeError unless both traces have the same steps, NotImplementedError where one can't be translated."""
    for step in first.steps:
        if step.op not in TRANSLATIONS:
            raise NotImplementedError(f"export: the op {step.op.name} has no translation into ONNX")
    alike = len(first.steps) == len(second.steps) and first.outputs == second.outputs
    for a, b in zip(first.steps, second.steps):
        alike = alike and a.op is b.op and a.outputs == b.outputs
        if alike and not (
            same(a.args, b.args) and all(same(a.options[k], b.options.get(k)) for k in a.options if not shaped(a, k))
        ):
            raise RuntimeError(
                f"export: an argument of the op {a.op.name} depends on the input's numbers or its batch's size, which "
                "an ONNX graph can't tell"
            )
    if not alike or first.constants != second.constants:
        raise RuntimeError("export: the model applies other ops to another input, which an ONNX graph can't tell")


def shaped(step: Step, option: str) -> bool:
    """Whether an option follows from the shapes."""
    return FROM_SHAPES.get(step.op.name) == option


def same(a: Any, b: Any) -> bool:
    """Whether two arguments are equal: arrays bit by bit, numbers also where both are NaN."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return same(a.array, b.array)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return bool(a == b) or (a != a and b != b)


def described(value: Operand, graph: Graph) -> Any:
    """The type of an input or output: a size that differs between the traces is free, and the batch's has a name."""
    from onnx import helper

    sizes: list[Any] = []
    for a, b in zip(value.shape, value.other):
        whole = graph.batch is not None and (a, b) == graph.batch.sizes
        sizes.append(a if a == b else "batch" if whole else None)
    return helper.make_tensor_value_info(value.name, tensor_type(value.dtype), sizes)


# The check


def verify(proto: Any) -> None:
    """Raises RuntimeError where the graph is not one that ONNX allows."""
    from onnx import checker, shape_inference

    try:
        checker.check_model(proto, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise RuntimeError(f"export: the graph is no valid ONNX ({' '.join(str(error).split())})") from None


def compare(model: Module, proto: Any, names: Sequence[str], arrays: Sequence[Array]) -> None:
    """Raises RuntimeError where the graph gives other numbers than the model for these inputs."""
    from onnx.reference import ReferenceEvaluator

    returned = model(*[Tensor(array.copy()) for array in arrays])  # which it may write to
    wanted = [value.array for value in (returned if isinstance(returned, (tuple, list)) else [returned])]
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(proto).run(None, dict(zip(names, arrays)))
    except Exception as error:  # the evaluator's own, of any kind
        raise RuntimeError(f"export: onnx's evaluator can't run the graph ({' '.join(str(error).split())})") from error
    for got, want in zip(results, wanted):
        if got.shape != want.shape or not close(np.asarray(got), want):
            raise RuntimeError(
                f"export: the ONNX graph gives other numbers than {type(model).__name__} for a batch of another size; "
                "does its forward compute something otherwise than by ops?"
            )


def close(got: Array, want: Array) -> bool:
    """Whether two results differ by no more than rounding: by 1e-4 of the largest number, in float32."""
    if want.dtype.kind != "f":
        return bool((got == want).mean() > 0.99) if want.size else True
    finite = np.isfinite(want)
    if not np.array_equal(finite, np.isfinite(got)):
        return False
    scale = float(np.abs(want[finite]).max(initial=0.0))
    return bool((np.abs(got[finite] - want[finite]) <= 1e-4 * scale).all())
