"""Shapes and axes."""

from __future__ import annotations

from typing import Any

import numpy as np

import cygrad.functions as F
from cygrad.tensor import Tensor

__all__ = [
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "expand_dims", "flip", "matrix_transpose",
    "moveaxis", "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "tile", "unstack",
]  # fmt: skip


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that shapes have together."""
    return tuple(np.broadcast_shapes(*shapes))


def broadcast_arrays(*arrays: Any) -> list[Tensor]:
    """Return the arrays in one shape."""
    shape = broadcast_shapes(*[a.shape for a in arrays])
    return [broadcast_to(a, shape) for a in arrays]


def broadcast_to(x: Any, /, shape: tuple[int, ...]) -> Tensor:
    """Return the array in a larger shape."""
    return x.expand(tuple(shape))


def concat(arrays: Any, /, *, axis: int | None = 0) -> Tensor:
    """Join arrays along an axis; None for all elements in order."""
    dtype = np.result_type(*[a.array.dtype for a in arrays])
    arrays = [a.to(dtype) for a in arrays]
    return F.cat([a.reshape(-1) for a in arrays], 0) if axis is None else F.cat(arrays, axis)


def stack(arrays: Any, /, *, axis: int = 0) -> Tensor:
    """Join arrays along a new axis."""
    dtype = np.result_type(*[a.array.dtype for a in arrays])
    return F.stack([a.to(dtype) for a in arrays], axis)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Return the slices along an axis."""
    return tuple(x.unbind(axis))


def expand_dims(x: Any, /, axis: Any = 0) -> Tensor:
    """Insert axes of size 1."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    n = x.ndim + len(axes)
    if any(not -n <= a < n for a in axes):
        raise IndexError(f"expand_dims: axis must lie in {-n} to {n - 1}, got {axis}")
    for a in sorted(a % n for a in axes):
        x = x.unsqueeze(a)
    return x


def squeeze(x: Any, /, axis: Any) -> Tensor:
    """Remove axes of size 1; ValueError for another size."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze: axis {axis} of shape {tuple(x.shape)} does not have size 1")
    return x.squeeze(axes) if axes else x


def flip(x: Any, /, *, axis: Any = None) -> Tensor:
    """Reverse the order along axes, all by default."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return x.flip(axes)


def roll(x: Any, /, shift: Any, *, axis: Any = None) -> Tensor:
    """Move elements along axes, around the end."""
    if axis is None:
        return x.reshape(-1).roll(shift, 0).reshape(x.shape)
    if isinstance(axis, tuple) and isinstance(shift, int):
        shift = (shift,) * len(axis)
    return x.roll(shift, axis)


def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Repeat each element."""
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    if isinstance(repeats, Tensor) and repeats.numel() == 1:
        repeats = int(repeats.item())
    return x.repeat_interleave(repeats, axis)


def tile(x: Any, repetitions: tuple[int, ...], /) -> Tensor:
    """Repeat the array along its axes."""
    return F.tile(x, tuple(repetitions))


def reshape(x: Any, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """Return the array in another shape."""
    if copy is False:
        return x.view(tuple(shape))
    result = x.reshape(tuple(shape))
    return result.clone() if copy else result


def permute_dims(x: Any, /, axes: tuple[int, ...]) -> Tensor:
    """Return the array with its axes in another order."""
    return x.permute(tuple(axes))


def moveaxis(x: Any, source: Any, destination: Any, /) -> Tensor:
    """Move axes to other positions."""
    return x.movedim(source, destination)


def matrix_transpose(x: Any, /) -> Tensor:
    """Exchange the last two axes."""
    return x.mT
