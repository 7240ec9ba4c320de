"""Size: the shape of a tensor, as PyTorch prints it; and what the constructors that take sizes or data are given."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

__all__ = ["Size", "sizes_of"]


class Size(tuple[int, ...]):
    """A shape: a tuple of ints whose slices and sums are shapes. As ``torch.Size``.

    Scripts under ``cygrad.torch`` get it from ``tensor.shape`` and ``tensor.size()``; elsewhere these are tuples.

    >>> cg.Size([2, 3]).numel()
    6
    """

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements of a tensor of this shape."""
        return prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return Size(part) if isinstance(key, slice) else part

    def __add__(self, other: Any) -> Any:
        return Size(super().__add__(tuple(other)))

    def __radd__(self, other: Any) -> Any:
        return Size(tuple(other) + tuple(self))

    def __mul__(self, times: Any) -> Any:
        return Size(super().__mul__(times))

    __rmul__ = __mul__


def sizes_of(op: str, data: tuple[Any, ...]) -> tuple[int, ...] | None:
    """The sizes that the arguments of ``FloatTensor(…)`` and ``tensor.new(…)`` give; None if they give data.

    One :class:`Size`, or integers, are sizes; one sequence, array or tensor is data.

    Raises:
        TypeError: they are neither.
    """
    sizes: Any = data[0] if len(data) == 1 and isinstance(data[0], Size) else data or (0,)
    if all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in sizes):
        return tuple([int(n) for n in sizes])
    if len(data) == 1 and (isinstance(data[0], Sequence) or hasattr(data[0], "array") or np.ndim(data[0])):
        return None
    raise TypeError(f"{op}: expected sizes, or data as one sequence, got {', '.join([type(x).__name__ for x in data])}")
