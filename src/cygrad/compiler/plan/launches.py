"""What a launch reads and writes, and how its work is cut into blocks, as csrc/kernels.def says of its kernel."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from cygrad import _kernels as kernels
from cygrad._typing import Array

__all__ = ["Cut", "Operand", "cut_of", "operands_of", "part_written"]


class Operand(NamedTuple):
    """An array of a launch: the argument's name, the entry of it if it is a list, and the array's address."""

    name: str
    entry: int
    pointer: int
    read: bool
    written: bool


def operands_of(launch: Any) -> list[Operand]:
    """The arrays of a launch, in the order of its arguments. NULL is left out."""
    return [Operand(*array) for array in launch.arrays()]


def part_written(launch: Any, operand: Operand, array: Array) -> Array:
    """The elements of the array of an operand that a launch writes, as a view: all, but for matrix products and copies
    to a part of it."""
    layout = layout_written(launch, operand.name, array.itemsize)
    flat = array.ravel("K")
    if layout is None or math.prod(layout[0]) == array.size or not np.may_share_memory(flat, array):
        return array
    sizes, steps = layout
    start = (operand.pointer - kernels.address(flat)) // array.itemsize
    return np.lib.stride_tricks.as_strided(flat[start:], sizes, [step * array.itemsize for step in steps])


def layout_written(launch: Any, operand: str, itemsize: int) -> tuple[list[int], list[int]] | None:
    """Sizes, and steps in elements, of what a launch writes to an array of such items; None for all of it."""
    number = launch.number
    if launch.name == "copy":
        return ([number("bytes") // itemsize], [1]) if number("bytes") % itemsize == 0 else None
    if itemsize != 4 * (1 + launch.dtype):
        return None
    if launch.name == "strided":
        return [number(f"n{i}") for i in range(4)], [number(f"y{i}") for i in range(4)]
    if launch.name == "gemm" and operand == "c":
        return [number("batch"), number("m"), number("n")], [number("c_batch"), number("ldc"), 1]
    return None


class Cut(NamedTuple):
    """How an elementwise kernel cuts its arrays into blocks. Launches with equal cuts can run block by block.

    Args:
        sizes: elements of each array
        whole: names of the operands of which a block may need any element
    """

    sizes: tuple[int, ...]
    whole: tuple[str, ...]

    @property
    def blocks(self) -> int:
        """The number of blocks."""
        return sum([-(-size // kernels.block_size()) for size in self.sizes])


def cut_of(launch: Any) -> Cut | None:
    """The cut of a launch, None if a block may need more than its own elements."""
    walk = launch.walk
    if walk == "EACH":
        return Cut((launch.number("n"),), ())
    if walk == "GRID":
        rows, cols = launch.number("rows"), launch.number("cols")
        steps = {o: (launch.number(f"{o}_row"), launch.number(f"{o}_col")) for o in "xy"}
        whole = [o for o, (row, col) in steps.items() if (cols > 1 and col != 1) or (rows > 1 and row != cols)]
        return Cut((rows * cols,), tuple(whole))
    if walk == "LISTS":
        return Cut(tuple(launch.numbers("sizes")), ("factor",))
    return None
