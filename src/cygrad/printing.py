"""The printed form of tensors, as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array

__all__ = ["show"]

EDGE_ITEMS, THRESHOLD, WIDTH = 3, 1000, 80
PLAIN_DTYPES = {"float32", "int64", "bool"}


def show(tensor: Any) -> str:
    """Format a tensor as ``tensor([…])``, with its dtype unless it is a default one, and its ``grad_fn``."""
    array = tensor.array
    text = np.array2string(
        array,
        max_line_width=WIDTH,
        separator=", ",
        prefix="tensor(",
        threshold=THRESHOLD,
        edgeitems=EDGE_ITEMS,
        formatter={"float_kind": float_format(array)} if array.dtype.kind == "f" else None,
    )
    extra = []
    if array.size == 0 and array.shape != (0,):
        extra.append(f"size={array.shape}")
    if array.dtype.name not in PLAIN_DTYPES:
        extra.append(f"dtype={array.dtype.name}")
    if tensor.node is not None:
        extra.append(f"grad_fn={tensor.node!r}")
    elif tensor.requires_grad:
        extra.append("requires_grad=True")
    return f"tensor({', '.join([text, *extra])})"


def float_format(array: Array) -> Any:
    """A formatter of floats: integers as "1.", others with four decimals, or an exponent if they differ widely."""
    visible = array if array.size <= THRESHOLD else edges(array)
    finite = np.abs(visible[np.isfinite(visible) & (visible != 0)].astype(np.float64))
    if not finite.size:
        form = "{:.0f}."
    elif finite.max() / finite.min() > 1000 or finite.max() > 1e8 or finite.min() < 1e-4:
        form = "{:.0f}." if np.all(finite == np.floor(finite)) and finite.max() <= 1e5 else "{:.4e}"
    else:
        form = "{:.0f}." if np.all(finite == np.floor(finite)) else "{:.4f}"

    def format_one(value: float) -> str:
        return form.format(value) if np.isfinite(value) else str(float(value))

    width = max([len(format_one(v)) for v in visible.ravel()], default=0)
    return lambda value: format_one(value).rjust(width) if array.ndim else format_one(value)


def edges(array: Array) -> Array:
    """The leading and trailing elements along each axis, which are printed of a large array."""
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * EDGE_ITEMS:
            array = np.take(array, [*range(EDGE_ITEMS), *range(-EDGE_ITEMS, 0)], axis)
    return array
