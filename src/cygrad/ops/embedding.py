"""Rows of a table by number."""

from __future__ import annotations

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Node, op


@op
def embedding_rows(ctx: Node, weight: Array, index: Array, *, padding_idx: int = -1) -> Array:
    """y[i…] = weight[index[i…]]; row padding_idx receives no gradient."""
    y, numbers = kernels.gather_rows(weight, index)
    ctx.save(numbers, weight.shape[0], padding_idx)
    return y


@embedding_rows.gradient
def _(ctx: Node, dy: Array) -> tuple[Array, None]:
    """dweight[index[i…]] += dy[i…]"""
    numbers, rows, padding_idx = ctx.saved
    return kernels.scatter_rows(dy, numbers, rows, padding_idx), None


@op
def one_hot_rows(ctx: Node, input: Array, *, classes: int) -> Array:
    """y[i…, c] = 1 where c = input[i…], else 0, in int64."""
    if input.size and (input.min() < 0 or input.max() >= classes):
        raise RuntimeError(f"one_hot: class indices must lie in 0 to {classes - 1}, got {input.min()} to {input.max()}")
    return (input[..., None] == np.arange(classes)).astype(np.int64)
