"""How a tensor looks in a terminal: as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array

__all__ = ["show"]

EDGE_ITEMS, THRESHOLD, WIDTH = 3, 1000, 80
PLAIN_DTYPES = {"float32", "int64", "bool"}


def show(tensor: Any) -> str:
    """``tensor([…])`` with its dtype, unless that is the usual one, and its place in the graph."""
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
    """Whole numbers as "1.", others with four decimals, those of very different sizes with an exponent."""
    shown = array if array.size <= THRESHOLD else ends(array)
    finite = np.abs(shown[np.isfinite(shown) & (shown != 0)].astype(np.float64))
    if not finite.size:
        form = "{:.0f}."
    elif finite.max() / finite.min() > 1000 or finite.max() > 1e8 or finite.min() < 1e-4:
        form = "{:.0f}." if np.all(finite == np.floor(finite)) and finite.max() <= 1e5 else "{:.4e}"
    else:
        form = "{:.0f}." if np.all(finite == np.floor(finite)) else "{:.4f}"

    def one(value: float) -> str:
        return form.format(value) if np.isfinite(value) else str(float(value))

    width = max([len(one(v)) for v in shown.ravel()], default=0)
    return lambda value: one(value).rjust(width) if array.ndim else one(value)


def ends(array: Array) -> Array:
    """The corners that a long array shows."""
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * EDGE_ITEMS:
            array = np.take(array, [*range(EDGE_ITEMS), *range(-EDGE_ITEMS, 0)], axis)
    return array
