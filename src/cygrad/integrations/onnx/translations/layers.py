"""Linear layers, convolutions, norms and embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call
from cygrad.integrations.onnx.translations.reduce import center, reduce_axes
from cygrad.integrations.onnx.translations.registry import translates
from cygrad.ops import batch_norm, conv, embedding, layer_norm, linear


@translates(linear.linear)
def affine(call: Call) -> Any:
    x = call.tensor()
    inputs = [call.name(n) for n in range(len(call.args)) if call.has(n)]
    if x.ndim == 2:
        return call.add("Gemm", *inputs, transB=1)
    product = call.add("MatMul", x.name, call.add("Transpose", inputs[1], perm=[1, 0]))
    return call.add("Add", product, inputs[2]) if len(inputs) == 3 else product


@translates(linear.ensemble_linear)
def ensemble_affine(call: Call) -> Any:
    product = call.add("MatMul", call.name(0), call.add("Transpose", call.name(1), perm=[0, 2, 1]))
    if not call.has(2):
        return product
    return call.add("Add", product, call.add("Unsqueeze", call.name(2), call.integers(1)))


@translates(linear.matmul)
def matmul(call: Call) -> Any:
    return call.add("MatMul", call.name(0), call.name(1))


@translates(conv.convolution)
def convolution(call: Call) -> Any:
    o, image, kernel = call.options, call.tensor().shape[2:], call.tensor(1).shape[2:]
    reaches = [d * (k - 1) for d, k in zip(o["dilation"], kernel)]
    sizes = zip(o["size"], o["stride"], reaches, image, o["padding"])
    after = [max(0, (m - 1) * s + r + 1 - n - p) for m, s, r, n, p in sizes]  # the rest may be cut off
    inputs = [call.name(n) for n in range(3) if call.has(n)]
    steps = {"strides": o["stride"], "dilations": o["dilation"], "pads": [*o["padding"], *after]}
    return call.add("Conv", *inputs, **steps, group=o["groups"])


@translates(conv.transposed_convolution)
def transposed_convolution(call: Call) -> Any:
    """One node for each group, and zeros behind the input in place of an output padding as large as the stride, since
    onnx's evaluator takes neither."""
    o, image, kernel = call.options, call.tensor().shape[2:], call.tensor(1).shape[2:]
    sizes = zip(o["size"], image, o["stride"], o["dilation"], kernel, o["padding"])
    extras = [m - ((n - 1) * s + d * (k - 1) + 1 - 2 * p) for m, n, s, d, k, p in sizes]
    steps = {"strides": o["stride"], "dilations": o["dilation"], "pads": [*o["padding"], *o["padding"]]}
    inputs = [call.name(n) for n in range(3) if call.has(n)]
    zeros = [extra // s for extra, s in zip(extras, o["stride"])]
    if any(zeros):
        inputs[0] = call.add("Pad", inputs[0], call.integers(*[0] * (len(zeros) + 4), *zeros))
    steps["output_padding"] = [extra % s for extra, s in zip(extras, o["stride"])]
    parts = [split(call, name, axis, o["groups"]) for name, axis in zip(inputs, (1, 0, 0))]
    results = [call.add("ConvTranspose", *group, **steps) for group in zip(*parts)]
    return call.add("Concat", *results, axis=1) if len(results) > 1 else results[0]


def split(call: Call, name: str, axis: int, parts: int) -> list[str]:
    """The value cut into equal parts along an axis."""
    options = {"num_outputs": parts} if call.graph.opset >= 18 else {}
    return list(call.add("Split", name, count=parts, axis=axis, **options)) if parts > 1 else [name]


@translates(batch_norm.batch_norm_evaluation)
def batch_norm_evaluation(call: Call) -> Any:
    mean, var = call.options["running_mean"], call.options["running_var"]
    weight = call.name(1) if call.has(1) else call.graph.constant(np.ones_like(mean))
    bias = call.name(2) if call.has(2) else call.graph.constant(np.zeros_like(mean))
    inputs = call.name(), weight, bias, call.array(mean), call.array(var)
    return call.add("BatchNormalization", *inputs, epsilon=float(call.options["eps"]))


@translates(batch_norm.batch_norm_training)
def batch_norm_training(call: Call) -> Any:
    """Batch norm with the statistics of the batch, as in evaluation mode without running statistics."""
    if call.options["running_mean"] is not None or call.options["running_var"] is not None:
        call.refuse("while it updates running statistics: the module is not in evaluation mode")
    x = call.tensor()
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    deviation = center(call, x.name, axes)
    variance = reduce_axes(call, "ReduceMean", call.add("Mul", deviation, deviation), axes)
    y = call.add("Div", deviation, call.add("Sqrt", call.add("Add", variance, call.scalar(call.options["eps"]))))
    shape = (1, -1, *[1] * (x.ndim - 2))
    for position, kind in (1, "Mul"), (2, "Add"):
        if call.has(position):
            y = call.add(kind, y, call.reshape(call.name(position), shape, shape))
    return y


@translates(layer_norm.layer_norm_rows)
def layer_norm_rows(call: Call) -> Any:
    shape = call.options["normalized_shape"]
    inputs = [call.name(), call.name(1) if call.has(1) else call.graph.constant(np.ones(shape, call.dtype))]
    inputs += [call.name(2)] if call.has(2) else []
    return call.add("LayerNormalization", *inputs, axis=-len(shape), epsilon=float(call.options["eps"]))


@translates(embedding.embedding_rows)
def embedding_rows(call: Call) -> Any:
    return call.add("Gather", call.name(0), call.name(1, np.int64), axis=0)


@translates(embedding.one_hot_rows)
def one_hot_rows(call: Call) -> Any:
    depth, values = call.scalar(call.options["classes"], np.int64), call.integers(0, 1)
    return call.add("OneHot", call.name(0, np.int64), depth, values, axis=-1)
