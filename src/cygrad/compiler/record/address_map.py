"""Memory that a recording knows: arrays by address."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Value

__all__ = ["Memory", "address", "arrays_in", "owner_of"]

address = kernels.address


class Memory:
    """Arrays by address: which of them an address lies in."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.arrays: dict[int, Array] = {}

    def add(self, array: Array) -> None:
        """Adds the array that owns the memory of `array`."""
        owner = owner_of(array)
        start = address(owner)
        present = self.arrays.get(start)
        if present is None or present.nbytes < owner.nbytes:
            if present is None:
                self.starts.insert(bisect_right(self.starts, start), start)
            self.arrays[start] = owner

    def start(self, pointer: int) -> int | None:
        """Where the array begins that the address lies in, None where none of them has it."""
        if pointer in self.arrays:
            return pointer
        place = bisect_right(self.starts, pointer) - 1
        if place < 0:
            return None
        start = self.starts[place]
        return start if pointer < start + self.arrays[start].nbytes else None

    def find(self, pointer: int) -> Array | None:
        """The array that the address lies in, None where none of them has it."""
        start = self.start(pointer)
        return None if start is None else self.arrays[start]


def owner_of(array: Array) -> Array:
    """The array that owns the memory of a view."""
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
        return [array for part in value for array in arrays_in(part)]
    return []
