"""The engine's questions to arrays. A compiled engine asks in C: arrays.pxd gives the same answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array


def as_array(result: Any) -> Array:
    """The result of array arithmetic as an array: NumPy returns a scalar where all operands have no dimensions.

    Results of forward functions, of gradient rules and of the engine's own sums pass through here, unless they are
    known to be arrays.
    """
    return np.asarray(result)


LARGE = kernels.pool_bytes() // 4
PLAIN = frozenset("?bhilqBHILQefd")  # booleans, integers and floats of up to 64 bits


def is_plain(array: Any) -> bool:
    """Whether an object is an ndarray, no subclass, of booleans, integers or floats in native byte order."""
    return type(array) is np.ndarray and array.dtype.char in PLAIN and array.dtype.isnative


def plain(op: str, data: Any) -> Array:
    """Data as a plain array, the only kind that tensors hold; `op` is named in messages.

    Subclasses of ndarray, whose arithmetic may differ, become views of their base class, and another byte order is
    converted. Everything that enters from outside passes through here.

    Raises:
        TypeError: the elements are not booleans, integers or floats of up to 64 bits, or some of them are masked.
    """
    if is_plain(data):
        array: Array = data
        return array
    array = data if isinstance(data, np.ndarray) else np.asarray(data)
    if array.dtype.char not in PLAIN:
        raise TypeError(f"{op}: a tensor holds booleans, integers or floats, got {array.dtype}")
    check_unmasked(op, array)
    array = np.asarray(array)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def check_unmasked(op: str, array: Any) -> None:
    """Raise TypeError if elements of a masked array are masked; `op` is named in the message."""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise TypeError(f"{op}: {np.sum(array.mask)} elements of a masked array are masked; use array.filled(value)")


def root(array: Array) -> Array:
    """The root array, which owns the memory."""
    base = array.base
    return base if isinstance(base, np.ndarray) else array


def share_root(a: Array, b: Array) -> bool:
    """Whether two arrays lie in the memory of the same array."""
    return root(a) is root(b)


def dtype(array: Array) -> np.dtype[Any]:
    """The dtype of an array."""
    return array.dtype


def owns_memory(array: Array) -> bool:
    """Whether the array is not a view."""
    return array.base is None


def is_large(array: Array) -> bool:
    """Whether there are so many elements that wrappers take an array of floats from the pool."""
    return array.size >= LARGE


def size(array: Array) -> int:
    """The number of elements."""
    return array.size


def is_float(array: Array) -> bool:
    """Whether the array can have a gradient."""
    return array.dtype.kind == "f"


def is_in_order(array: Array) -> bool:
    """Whether the elements lie in C order, without gaps."""
    return array.flags.c_contiguous


def broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether an array of a shape broadcasts to the target."""
    return len(shape) <= len(target) and all(n in (1, m) for n, m in zip(shape[::-1], target[::-1]))


MOST_AXES_OF_AT = 32


def add_at(x: Array, key: Any, values: Array) -> None:
    """x[key] += values, in place, once for each time that an element is named; x lies in C order.

    NumPy's ufunc.at crashes above 32 dimensions: there, elements are named by their flat positions.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if max(x.ndim, values.ndim, *[np.ndim(part) for part in parts if part is not None]) > MOST_AXES_OF_AT:
        key = np.arange(x.size).reshape(x.shape)[key].reshape(-1)
        x, values = x.reshape(-1), values.reshape(-1)
    np.add.at(x, key, values)


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
