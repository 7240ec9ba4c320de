"""The memory of a tensor as a flat sequence, for programs that look at it. As ``torch.UntypedStorage`` and its kin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import recording

__all__ = ["Storage", "TypedStorage", "UntypedStorage"]


class Storage:
    """The elements of the memory that a tensor and its views share, in order.

    Args:
        memory: the array that has the memory.
    """

    def __init__(self, memory: Array) -> None:
        self.memory = memory

    @property
    def array(self) -> Array:
        """The elements, as an array of one dimension."""
        return np.ravel(self.memory, order="K")

    @property
    def dtype(self) -> Any:
        """The dtype of an element."""
        return self.memory.dtype

    device = "cpu"

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        return int(self.memory.__array_interface__["data"][0])

    def element_size(self) -> int:
        """Return the bytes of an element."""
        return self.memory.itemsize

    def size(self) -> int:
        """Return the number of elements."""
        return self.memory.size

    def nbytes(self) -> int:
        """Return the number of bytes."""
        return self.memory.nbytes

    def tolist(self) -> list[Any]:
        """Return the elements as a list."""
        recording.reading("storage")
        values: list[Any] = self.array.tolist()
        return values

    def untyped(self) -> UntypedStorage:
        """Return the same memory as bytes."""
        return UntypedStorage(self.memory)

    def __len__(self) -> int:
        return self.size()

    def __getitem__(self, index: Any) -> Any:
        return self.tolist()[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.tolist()}, dtype={self.dtype})"


class UntypedStorage(Storage):
    """The memory as bytes."""

    @property
    def array(self) -> Array:
        """The bytes, as an array of one dimension."""
        return super().array.view(np.uint8)

    @property
    def dtype(self) -> Any:
        """That of a byte."""
        return np.dtype(np.uint8)

    def element_size(self) -> int:
        """Return 1."""
        return 1

    def size(self) -> int:
        """Return the number of bytes."""
        return self.memory.nbytes


TypedStorage = Storage
