"""``export``: writes a model to an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cygrad._files import atomic_write
from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.autograd.tracing import Trace, TracedOp, trace
from cygrad.integrations.onnx.graph import BatchAxis, Call, Graph, Operand, tensor_type
from cygrad.integrations.onnx.translations import TRANSLATIONS
from cygrad.integrations.onnx.translations.recurrent import evaluated_network
from cygrad.nn.module import Module
from cygrad.tensor import Tensor
from cygrad.train.evaluation import Evaluating

__all__ = ["OPSETS", "export"]

OPSETS = range(17, 22)
IR_VERSION = 10
MAX_BYTES = 2**31 - 1  # of a protocol buffer
BATCH_SIZES = 2, 3, 5  # of the two traces, and of the check


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
    """Writes a model in evaluation mode to an ONNX file of IR version 10.

    The forward pass runs twice, on batches of different sizes and values, and the ops that it applies are recorded and
    translated. It may contain any Python code that applies the same ops both times.

    Args:
        model: a module.
        path: the file to write.
        example: an input (a tensor or array), a tuple of several inputs, or the shape of one float32 input as a tuple
            of integers. The values hardly matter, but integers must be valid inputs of the model.
        opset: version of ONNX's operator set, 17 to 21.
        input_names: names of the inputs. Default: ``input``, or ``input_0``, ``input_1``, … for several.
        output_names: names of the outputs. Default: ``output``, or ``output_0``, ``output_1``, … for several.
        batch_axis: axis of every input that may have any size in the file; None fixes all sizes to the example's.
        metadata: properties to store in the file.
        check: run the graph in onnx's reference evaluator and compare its outputs with the model's.

    Raises:
        ImportError: the package ``onnx`` is not installed.
        NotImplementedError: an op has no translation; the message names it.
        RuntimeError: the ops depend on the input in a way that a graph cannot express, or the graph's outputs differ
            from the model's.
        TypeError, ValueError: an invalid example, opset, axis or name.

    Example:
        >>> import os, tempfile
        >>> from cygrad.integrations.onnx import export
        >>> model = cg.nn.Sequential(cg.nn.Linear(4, 8), cg.nn.ReLU(), cg.nn.Linear(8, 2))
        >>> path = os.path.join(tempfile.mkdtemp(), "model.onnx")
        >>> export(model, path, (1, 4))
    """
    require_onnx()
    if opset not in OPSETS:
        raise ValueError(f"export: opset must lie in {OPSETS[0]} to {OPSETS[-1]}, got {opset}")
    arrays = examples(example)
    for array in arrays:
        if batch_axis is not None and not 0 <= batch_axis < array.ndim:
            raise ValueError(f"export: batch_axis={batch_axis} is not an axis of an input of shape {array.shape}")
    names = unique_names(input_names, "input", len(arrays))
    batches = [vary(arrays, run, batch_axis) for run in range(3)]
    with Evaluating(model):
        first, _ = trace(model, *[Tensor(array) for array in batches[0]])
        second, _ = trace(model, *[Tensor(array) for array in batches[1]])
        proto = translate(model, first, second, opset, batch_axis, names, output_names)
        for key, value in (metadata or {}).items():
            proto.metadata_props.add(key=key, value=value)
        validate(proto)
        if check:
            compare(model, proto, names, batches[2])
    with atomic_write("export", path) as file:
        file.write(proto.SerializeToString())


def require_onnx() -> None:
    """Raises ImportError if onnx is not installed."""
    try:
        import onnx.checker  # noqa: F401
    except ImportError:
        raise ImportError("export: the package onnx is not installed: pip install 'cygrad[onnx]'") from None


# Inputs


def examples(example: Any) -> list[Array]:
    """The arrays of the example inputs."""
    if isinstance(example, tuple) and example and all(type(n) is int for n in example):
        return [np.zeros(example, np.float32)]
    items = example if isinstance(example, (tuple, list)) else (example,)
    for item in items:
        if not isinstance(item, (Tensor, np.ndarray)):
            raise TypeError(f"export: example must be one or more tensors, or a shape, got {type(item).__name__}")
    if not items:
        raise ValueError("export: example must have at least one input, got an empty one")
    return [item.array if isinstance(item, Tensor) else item for item in items]


def vary(arrays: Sequence[Array], run: int, batch_axis: int | None) -> list[Array]:
    """Inputs like the examples, different in each run: values are shuffled, and floats scaled by U(0.5, 1); floats that
    are all 0 are replaced by N(0, 1)."""
    random = np.random.default_rng(run)
    results = []
    for array in arrays:
        x = array
        if batch_axis is not None:
            rows = np.arange(BATCH_SIZES[run]) % max(x.shape[batch_axis], 1)
            if not x.shape[batch_axis] and x.dtype.kind != "f":
                raise ValueError(f"export: an integer example needs at least one row, got shape {x.shape}")
            shape = [BATCH_SIZES[run] if axis == batch_axis else n for axis, n in enumerate(x.shape)]
            x = np.take(x, rows, batch_axis) if x.size else np.zeros(shape, x.dtype)
        shuffled = random.permutation(x.reshape(-1)).reshape(x.shape)
        if x.dtype.kind == "f":
            drawn = shuffled * random.uniform(0.5, 1, x.shape) if x.any() else random.standard_normal(x.shape)
            results.append(np.asarray(drawn, x.dtype))
        else:
            results.append(shuffled)
    return results


def unique_names(names: Sequence[str] | None, stem: str, count: int) -> list[str]:
    """The names that the user passed, by default the stem, numbered if there are several."""
    if names is None:
        return [stem] if count == 1 else [f"{stem}_{number}" for number in range(count)]
    if isinstance(names, str) or len(names) != count or len(set(names)) != count or not all(names):
        raise ValueError(f"export: {stem}_names must be {count} different names, got {names!r}")
    return list(names)


# Translation


def translate(
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

    require_equal_ops(first, second)
    states = [*model.named_parameters(), *model.named_buffers()]
    batch = None if batch_axis is None else BatchAxis(batch_axis, BATCH_SIZES[:2])
    graph = Graph(opset, {id(value.array): name for name, value in states}, batch)
    outputs = unique_names(output_names, "output", len(first.outputs))
    for name in (*input_names, *outputs):
        if graph.unique(name) != name:
            raise ValueError(f"export: {name!r} names both an input and an output")
    graph.first_input = input_names[0]
    operands: dict[int, Operand] = {}
    for index, name in zip(first.inputs, input_names):
        operands[index] = operand(first, second, index, name)
    for index in sorted(first.constants):
        operands[index] = operand(first, second, index, constant(graph, first, second, index))
    for traced in first.steps:
        translate_op(graph, traced, first, second, operands)
    # Identity, because an output may be an input, or the same value as another output.
    for index, name in zip(first.outputs, outputs):
        graph.nodes.append(helper.make_node("Identity", [operands[index].name], [name], name=f"to_{name}"))
    results = [operands[index]._replace(name=name) for index, name in zip(first.outputs, outputs)]
    weights = [numpy_helper.from_array(array, name) for name, array in graph.initializers.items()]
    if sum(array.nbytes for array in graph.initializers.values()) > MAX_BYTES - 2**20:
        raise ValueError("export: the weights exceed 2 GiB, the limit of an ONNX file")
    proto = helper.make_graph(
        graph.nodes,
        type(model).__name__,
        [value_info(operands[index], graph) for index in first.inputs],
        [value_info(result, graph) for result in results],
        weights,
    )
    return helper.make_model(
        proto,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", opset)],
        producer_name="cygrad",
        producer_version=__version__,
    )


def operand(first: Trace, second: Trace, index: int, name: str) -> Operand:
    """The value with this index in both traces."""
    array = first.arrays[index]
    return Operand(name, array.shape, second.arrays[index].shape, array.dtype)


def constant(graph: Graph, first: Trace, second: Trace, index: int) -> str:
    """Adds an initializer for a constant, or a ConstantOfShape node if its shape depends on the batch size and all its
    elements are equal."""
    a, b = first.arrays[index], second.arrays[index]
    if a.shape == b.shape and identical(a, b):
        return graph.constant(a, source=first.sources[index])
    if a.ndim == b.ndim and a.size and b.size and (a == a.flat[0]).all() and (b == a.flat[0]).all():
        from onnx import numpy_helper

        value = numpy_helper.from_array(a.reshape(-1)[:1])
        return str(graph.add("ConstantOfShape", graph.shape(a.shape, b.shape), value=value))
    raise RuntimeError(
        f"export: a tensor of shape {a.shape} differs between inputs, but was not computed by ops alone; forward must "
        "not use numpy(), item() or random numbers"
    )


def translate_op(graph: Graph, traced: TracedOp, first: Trace, second: Trace, operands: dict[int, Operand]) -> None:
    """Adds the nodes of an op to the graph, and its outputs to the operands."""
    outputs = [operand(first, second, index, "") for index in traced.outputs]
    result = TRANSLATIONS[traced.op](Call(graph, traced, operands, outputs))
    results = result if isinstance(result, list) else [result]
    for index, output, name in zip(traced.outputs, outputs, results, strict=True):
        operands[index] = output._replace(name=name)


# Options that are determined by the shapes of inputs and outputs.
SHAPE_OPTIONS = {"reshape": "shape", "expand": "size", "placed": "shape"}


def require_equal_ops(first: Trace, second: Trace) -> None:
    """Raises RuntimeError if the traces have different ops or arguments, NotImplementedError if an op has no
    translation."""
    for traced in first.steps:
        if traced.op not in TRANSLATIONS:
            raise NotImplementedError(f"export: the op {traced.op.name} has no translation to ONNX")
    equal = len(first.steps) == len(second.steps) and first.outputs == second.outputs
    for a, b in zip(first.steps, second.steps):
        equal = equal and a.op is b.op and a.outputs == b.outputs
        options = [name for name in a.options if SHAPE_OPTIONS.get(a.op.name) != name]
        if equal and not (
            identical(a.args, b.args) and all(identical(a.options[k], b.options.get(k)) for k in options)
        ):
            raise RuntimeError(
                f"export: an argument of the op {a.op.name} depends on the input's values or the batch size, which an "
                "ONNX graph cannot express"
            )
    if not equal or first.constants != second.constants:
        raise RuntimeError(
            "export: the model applies different ops to different inputs, which an ONNX graph cannot express"
        )


def identical(a: Any, b: Any) -> bool:
    """Whether two arguments are equal: arrays bit by bit, NaN to NaN."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return identical(a.array, b.array)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(identical(x, y) for x, y in zip(a, b))
    return bool(a == b) or (a != a and b != b)


def value_info(value: Operand, graph: Graph) -> Any:
    """The type of an input or output. Sizes that differ between the traces are free; the batch size has a name."""
    from onnx import helper

    sizes: list[Any] = []
    for a, b in zip(value.shape, value.other):
        is_batch = graph.batch is not None and (a, b) == graph.batch.sizes
        sizes.append(a if a == b else "batch" if is_batch else None)
    return helper.make_tensor_value_info(value.name, tensor_type(value.dtype), sizes)


# The check


def validate(proto: Any) -> None:
    """Raises RuntimeError if the graph is not valid ONNX."""
    from onnx import checker, shape_inference

    try:
        checker.check_model(proto, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise RuntimeError(f"export: the graph is not valid ONNX ({' '.join(str(error).split())})") from None


def compare(model: Module, proto: Any, names: Sequence[str], arrays: Sequence[Array]) -> None:
    """Raises RuntimeError if the graph and the model have different outputs for these inputs."""
    from onnx.reference import ReferenceEvaluator

    returned = model(*[Tensor(array.copy()) for array in arrays])  # the model may write to its input
    expected = [value.array for value in (returned if isinstance(returned, (tuple, list)) else [returned])]
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(proto, new_ops=[evaluated_network()]).run(None, dict(zip(names, arrays)))
    except Exception as error:  # the evaluator raises many types
        raise RuntimeError(f"export: onnx's evaluator cannot run the graph ({' '.join(str(error).split())})") from error
    for got, want in zip(results, expected):
        if got.shape != want.shape or not close(np.asarray(got), want):
            raise RuntimeError(
                f"export: the outputs of the ONNX graph differ from those of {type(model).__name__} for another batch "
                "size; does its forward compute something without ops?"
            )


def close(got: Array, want: Array) -> bool:
    """Whether two results agree up to the rounding of float32: to 1e-4 of the largest magnitude."""
    if want.dtype.kind != "f":
        return bool((got == want).mean() > 0.99) if want.size else True
    finite = np.isfinite(want)
    if not np.array_equal(finite, np.isfinite(got)):
        return False
    scale = float(np.abs(want[finite]).max(initial=0.0))
    return bool((np.abs(got[finite] - want[finite]) <= 1e-4 * scale).all())
