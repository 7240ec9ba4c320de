"""Dimensions as PyTorch names them: counted from either end, one or several."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array


def checked_axis(name: str, dim: Any, ndim: int) -> int:
    """One axis in 0..ndim − 1. A tensor without dimensions has axis 0 too, as in PyTorch."""
    try:
        axis = dim.__index__()
    except AttributeError:
        raise TypeError(f"{name}: dim must be an integer, got {dim!r}") from None
    size = max(ndim, 1)
    if not -size <= axis < size:
        raise IndexError(f"{name}: dim {axis} is out of range for a tensor of {ndim} dimensions")
    return axis % size


def axis_and_size(name: str, dim: Any, shape: tuple[int, ...]) -> tuple[int, int]:
    """One axis and its size. Raises IndexError for a tensor without dimensions."""
    if not shape:
        raise IndexError(f"{name}: a tensor without dimensions has no dim {dim}")
    axis = checked_axis(name, dim, len(shape))
    return axis, shape[axis]


def checked_axes(name: str, dim: Any, ndim: int) -> tuple[int, ...]:
    """Several axes, ascending; None and () mean all."""
    if dim is None:
        return tuple(range(ndim))
    if not isinstance(dim, (tuple, list)):
        return (checked_axis(name, dim, ndim),) if ndim else check_scalar(name, dim)
    axes = tuple(sorted([checked_axis(name, d, ndim) for d in dim]))
    if len(set(axes)) != len(axes):
        raise RuntimeError(f"{name}: a dim appears twice in {tuple(dim)}")
    return axes if axes and ndim else tuple(range(ndim))


def check_scalar(name: str, dim: Any) -> tuple[int, ...]:
    """The axes of a tensor without dimensions: none, after a check that dim is 0 or −1."""
    checked_axis(name, dim, 0)
    return ()


def adjacent(axes: tuple[int, ...]) -> bool:
    """Whether ascending axes follow one another without a gap."""
    return not axes or axes[-1] - axes[0] == len(axes) - 1


def made_adjacent(x: Array, axes: tuple[int, ...]) -> tuple[Array, int, int]:
    """x with `axes` adjacent to one another (moved to the end unless they are), their first position, and their end."""
    if adjacent(axes):
        return (x, axes[0], axes[-1] + 1) if axes else (x, 0, 0)
    others = [i for i in range(x.ndim) if i not in axes]
    return x.transpose(*others, *axes), len(others), x.ndim


def kept_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with size 1 at the axes."""
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def repeated_along(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """A reduced array as a view of the shape before the reduction, repeated along the axes."""
    return np.broadcast_to(x.reshape(kept_shape(shape, axes)), shape)
