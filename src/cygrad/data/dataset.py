"""Datasets: things with a length and items, after ``torch.utils.data``."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from cygrad._typing import Array
from cygrad.generator import current_generator
from cygrad.tensor import Tensor

__all__ = ["Dataset", "Subset", "TensorDataset"]


class Shuffler(Protocol):
    """A source of permutations: ``cygrad.Generator`` and ``numpy.random.Generator`` are some."""

    def permutation(self, x: int, /) -> Array:
        """The numbers from 0 to x − 1 in random order."""


class Dataset:
    """What a ``DataLoader`` reads: a length, and items under the indices below it.

    A dataset of one's own gives both methods; a list or any other sequence will do as well.

    >>> class Squares(cg.data.Dataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return index, index**2
    >>> len(Squares()), Squares()[3]
    (4, (3, 9))
    """

    def __getitem__(self, index: Any) -> Any:
        """The item under an index."""
        raise NotImplementedError(f"{type(self).__name__}: a dataset must define __getitem__")

    def __len__(self) -> int:
        """The number of items."""
        raise NotImplementedError(f"{type(self).__name__}: a dataset must define __len__")


class TensorDataset(Dataset):
    """Tensors or arrays with one first dimension: item i is the tuple of their rows i.

    Nothing is copied: items, and those of a slice, are views of the memory given. Raises ValueError where the
    first dimensions differ.

    >>> data = cg.data.TensorDataset(np.zeros((5, 3)), np.arange(5))
    >>> x, y = data[2]
    >>> len(data), x.array.shape, y.array.item()
    (5, (3,), 2)
    """

    def __init__(self, *tensors: Tensor | Array) -> None:
        if not tensors:
            raise ValueError("TensorDataset: got no tensors, at least one is wanted")
        self.tensors = tuple(as_tensor(tensor) for tensor in tensors)
        shapes = [tensor.array.shape for tensor in self.tensors]
        if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(
                "TensorDataset: the tensors must have the same first dimension, got shapes "
                f"{', '.join(map(str, shapes))}"
            )

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """The rows under an index, or those of a slice or of an array of indices."""
        return tuple(Tensor(np.asarray(tensor.array[index])) for tensor in self.tensors)

    def __len__(self) -> int:
        """The first dimension."""
        return len(self.tensors[0].array)


class Subset(Dataset):
    """The items of a dataset under some of its indices, in their order.

    >>> part = cg.data.Subset(["a", "b", "c"], [2, 0])
    >>> len(part), part[0]
    (2, 'c')
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | Array) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: int) -> Any:
        """The dataset's item under ``indices[index]``."""
        return self.dataset[operator.index(self.indices[index])]

    def __len__(self) -> int:
        """The number of indices."""
        return len(self.indices)


def as_tensor(value: Tensor | Array) -> Tensor:
    """A tensor over the same memory."""
    return value if isinstance(value, Tensor) else Tensor(np.asarray(value))


def shuffler(generator: Shuffler | None) -> Shuffler:
    """The generator given, or the default one."""
    if generator is not None:
        return generator
    return current_generator()
