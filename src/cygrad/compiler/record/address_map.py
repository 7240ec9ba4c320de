"""Arrays by address: which array an address belongs to."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Value

__all__ = ["AddressMap", "address", "arrays_in", "owner_of"]

address = kernels.address


class AddressMap:
    """The arrays that a recording knows, by the address of their first element. Views count as their owners."""

    def __init__(self) -> None:
        self.starts: list[int] = []  # sorted
        self.arrays: dict[int, Array] = {}

    def add(self, array: Array) -> None:
        """Add the owner of an array."""
        owner = owner_of(array)
        start = address(owner)
        known = self.arrays.get(start)
        if known is None or known.nbytes < owner.nbytes:
            if known is None:
                self.starts.insert(bisect_right(self.starts, start), start)
            self.arrays[start] = owner

    def start(self, pointer: int) -> int | None:
        """The address of the first element of the array that contains `pointer`, None where no known array does."""
        if pointer in self.arrays:
            return pointer
        index = bisect_right(self.starts, pointer) - 1
        if index < 0:
            return None
        start = self.starts[index]
        return start if pointer < start + self.arrays[start].nbytes else None

    def find(self, pointer: int) -> Array | None:
        """The array that contains `pointer`, None where no known array does."""
        start = self.start(pointer)
        return None if start is None else self.arrays[start]


def owner_of(array: Array) -> Array:
    """The array at the end of a chain of views, which owns the memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def arrays_in(value: Any) -> list[Array]:
    """All arrays in nested tuples, lists and dicts."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, Value):
        return [value.array]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [array for item in value for array in arrays_in(item)]
    return []
