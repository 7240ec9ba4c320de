"""Rows of a table by number."""

from __future__ import annotations

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array, Tensor
from cygrad.autograd import Node, op
from cygrad.ops.broadcast import leave_half
from cygrad.ops.definition import constant


@op
def embedding_rows(ctx: Node, weight: Array, index: Array, *, padding_idx: int = -1) -> Array:
    """y[i…] = weight[index[i…]]; row padding_idx receives no gradient."""
    leave_half("embedding", weight)
    y, numbers = kernels.gather_rows(weight, index)
    ctx.save(numbers, weight.shape[0], padding_idx)
    return y


@embedding_rows.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None]:
    """dweight[index[i…]] += dy[i…]"""
    numbers, rows, padding_idx = ctx.saved
    return kernels.scatter_rows(dy, numbers, rows, padding_idx), None


@embedding_rows.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, None]:
    """dweight[index[i…]] += dy[i…]"""
    numbers, rows, padding_idx = ctx.saved
    return summed_rows(dy, constant(numbers), rows=rows, padding_idx=padding_idx), None


@op
def summed_rows(ctx: Node, input: Array, index: Array, *, rows: int, padding_idx: int) -> Array:
    """y[index[i…]] += x[i…], a table of `rows` rows; row padding_idx receives nothing."""
    ctx.save(index, padding_idx)
    return kernels.scatter_rows(input, index, rows, padding_idx)


@summed_rows.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None]:
    """dx[i…] = dy[index[i…]], 0 for row padding_idx"""
    index, padding_idx = ctx.saved
    dx, _ = kernels.gather_rows(dy, index)
    dx[index == padding_idx] = 0
    return dx, None


@summed_rows.definition
def _(ctx: Node, dy: Tensor) -> tuple[Tensor, None]:
    """dx[i…] = dy[index[i…]], 0 for row padding_idx"""
    index, padding_idx = ctx.saved
    rows = embedding_rows(dy, constant(index))
    return rows.masked_fill((constant(index) == padding_idx).unsqueeze(-1), 0), None


@op
def one_hot_rows(ctx: Node, input: Array, *, classes: int) -> Array:
    """y[i…, c] = 1 where c = input[i…], else 0, in int64."""
    if input.size and (input.min() < 0 or input.max() >= classes):
        raise RuntimeError(f"one_hot: class indices must lie in 0 to {classes - 1}, got {input.min()} to {input.max()}")
    return (input[..., None] == np.arange(classes)).astype(np.int64, order="C")
