"""The engine's questions to arrays. A compiled engine asks in C: arrays.pxd gives the same answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad._typing import Array


def as_array(result: Any) -> Array:
    """The result of array arithmetic as an array: NumPy returns a scalar where all operands have no dimensions.

    Results of forward functions, of gradient rules and of the engine's own sums pass through here, unless they are
    known to be arrays.
    """
    return np.asarray(result)


def root(array: Array) -> Array:
    """The root array, which owns the memory."""
    base = array.base
    return base if isinstance(base, np.ndarray) else array


def owns_memory(array: Array) -> bool:
    """Whether the array is not a view."""
    return array.base is None


def size(array: Array) -> int:
    """The number of elements."""
    return array.size


def is_float(array: Array) -> bool:
    """Whether the array can have a gradient."""
    return array.dtype.kind == "f"


def is_in_order(array: Array) -> bool:
    """Whether the elements lie in C order, without gaps."""
    return array.flags.c_contiguous


def positions(view: Array, base: Array) -> Array:
    """For each element of a view of `base`, its flat position in `base`, in the view's shape.

    Both must lie in the same memory and have one dtype. The memory that `base` spans is numbered as `base` sees it,
    and the numbers are read as the view sees them.
    """
    low, high = np.lib.array_utils.byte_bounds(base)
    step = base.itemsize
    numbers = np.empty((high - low) // step, np.int64)
    layout = [tuple([s // step * numbers.itemsize for s in array.strides]) for array in (base, view)]
    starts = [(address(array) - low) // step for array in (base, view)]
    as_strided = np.lib.stride_tricks.as_strided
    as_strided(numbers[starts[0] :], base.shape, layout[0])[...] = np.arange(base.size).reshape(base.shape)
    return as_strided(numbers[starts[1] :], view.shape, layout[1]).copy()


def address(array: Array) -> int:
    """The address of the first element."""
    return array.__array_interface__["data"][0]
