"""Attention, as products and a softmax: ONNX has an operator for it from opset 23 on only."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad.integrations.onnx.graph import Call, Operand
from cygrad.integrations.onnx.translations.registry import translates
from cygrad.ops import attention


def weights(call: Call, q: str, k: str, mask: Operand | None, lengths: tuple[int, int], dtype: Any) -> str:
    """softmax(scale·q·kᵀ + mask), and 0 for queries that see no key."""
    scores = call.add("MatMul", q, call.add("Transpose", k, perm=[0, 1, 3, 2]))
    scores = call.add("Mul", scores, call.scalar(call.options["scale"], dtype))
    low = call.scalar(np.finfo(dtype).min, dtype)
    if call.options["causal"]:
        scores = call.add("Where", call.graph.constant(np.tri(*lengths, dtype=bool)), scores, low)
    if mask is None:
        return str(call.add("Softmax", scores, axis=-1))
    if mask.dtype != np.bool_:
        scores = call.add("Max", call.add("Add", scores, mask.name), low)
        return str(call.add("Mul", call.add("Softmax", scores, axis=-1), seen(call, scores, low, dtype)))
    scores = call.add("Where", mask.name, scores, low)
    return str(call.add("Mul", call.add("Softmax", scores, axis=-1), call.graph.cast(mask.name, dtype)))


def seen(call: Call, scores: str, low: str, dtype: Any) -> str:
    """1 where a score is not the lowest number, else 0."""
    return call.graph.cast(str(call.add("Greater", scores, low)), dtype)


def checked_mask(call: Call, position: int) -> Operand | None:
    if call.options["p"] > 0:
        call.refuse("with dropout: the module is not in evaluation mode")
    return call.tensor(position) if call.has(position) else None


@translates(attention.attention)
def attention_of_heads(call: Call) -> Any:
    q, k, v = (call.tensor(n) for n in range(3))
    mask = checked_mask(call, 3)
    if 0 in q.shape + k.shape:
        call.refuse("for an empty input")
    group = q.shape[1] // k.shape[1]
    names = [k.name, v.name]
    if group > 1:
        names = [repeated(call, x, group) for x in (k, v)]
    p = weights(call, q.name, names[0], mask, (q.shape[2], k.shape[2]), q.dtype)
    return call.add("MatMul", p, names[1])


def repeated(call: Call, x: Operand, group: int) -> str:
    """Each head `group` times."""
    index = np.repeat(np.arange(x.shape[1]), group)
    return str(call.add("Gather", x.name, call.graph.constant(index), axis=1))


@translates(attention.packed_attention)
def packed_attention(call: Call) -> Any:
    x, mask = call.tensor(), checked_mask(call, 1)
    heads, rows_first = call.options["heads"], call.options["rows_first"]
    if 0 in x.shape:
        call.refuse("for an empty input")

    def split(shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:2], 3 * heads, shape[2] // (3 * heads))

    parts = call.reshape(x.name, split(x.shape), split(x.other))
    order = [1, 2, 0, 3] if rows_first else [0, 2, 1, 3]
    by_head = call.add("Transpose", parts, perm=order)
    q, k, v = call.add("Split", by_head, call.integers(heads, heads, heads), count=3, axis=1)
    length = x.shape[0 if rows_first else 1]
    p = weights(call, q, k, mask, (length, length), x.dtype)
    y = call.add("Transpose", call.add("MatMul", p, v), perm=[2, 0, 1, 3] if rows_first else [0, 2, 1, 3])
    return call.reshape(y, call.outputs[0].shape, call.outputs[0].other)
