"""Datasets: objects with a length and indexed items, modeled on ``torch.utils.data``."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Protocol

import numpy as np

from cygrad._typing import Array
from cygrad.autograd.arrays import plain
from cygrad.generator import current_generator
from cygrad.tensor import Tensor

__all__ = ["ConcatDataset", "Dataset", "Permuter", "Subset", "TensorDataset", "permuter"]


class Permuter(Protocol):
    """A source of random permutations, such as ``cygrad.Generator`` and ``numpy.random.Generator``."""

    def permutation(self, x: int, /) -> Array:
        """Return the integers from 0 to x − 1 in random order."""


class Dataset:
    """Base class of datasets: subclasses define ``__len__`` and ``__getitem__``.

    A ``DataLoader`` also accepts lists and other sequences.

    >>> class Squares(cg.data.Dataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return index, index**2
    >>> len(Squares()), Squares()[3]
    (4, (3, 9))
    """

    def __getitem__(self, index: Any) -> Any:
        """Return the item at an index."""
        raise NotImplementedError(f"{type(self).__name__}: a dataset must define __getitem__")

    def __len__(self) -> int:
        """Return the number of items."""
        raise NotImplementedError(f"{type(self).__name__}: a dataset must define __len__")

    def __add__(self, other: Any) -> Dataset:
        """Return the items of both datasets, a ``ConcatDataset``."""
        return ConcatDataset([self, other])

    def __class_getitem__(cls, item: Any) -> Any:
        return cls  # Dataset[T]


class TensorDataset(Dataset):
    """Tensors or arrays of equal first dimension; item i is the tuple of their rows i.

    Nothing is copied: items and slices are views of the given memory. The batches of a :class:`DataLoader` are copies.

    Args:
        *tensors: tensors or arrays (n, …).

    Raises:
        ValueError: if the first dimensions differ or no tensor is given.

    >>> data = cg.data.TensorDataset(np.zeros((5, 3)), np.arange(5))
    >>> x, y = data[2]
    >>> len(data), x.shape, y.item()
    (5, (3,), 2)
    """

    def __init__(self, *tensors: Tensor | Array) -> None:
        if not tensors:
            raise ValueError("TensorDataset: expected at least one tensor, got none")
        self.tensors = tuple(as_tensor(tensor) for tensor in tensors)
        shapes = [tensor.array.shape for tensor in self.tensors]
        if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(
                "TensorDataset: the tensors must have the same first dimension, got shapes "
                f"{', '.join(map(str, shapes))}"
            )

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        """Return the rows at an index, a slice or an array of indices."""
        return tuple(rows_of(tensor, index) for tensor in self.tensors)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.tensors[0].array)


class Subset(Dataset):
    """The items of a dataset at the given indices, in their order.

    Args:
        dataset: the dataset.
        indices: indices (n,) into it.

    >>> subset = cg.data.Subset(["a", "b", "c"], [2, 0])
    >>> len(subset), subset[0]
    (2, 'c')
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | Array) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: int) -> Any:
        """Return the dataset's item at ``indices[index]``."""
        return self.dataset[operator.index(self.indices[index])]

    def __len__(self) -> int:
        """Return the number of indices."""
        return len(self.indices)


class ConcatDataset(Dataset):
    """The items of several datasets, one after the other; ``a + b`` makes one too.

    Args:
        datasets: at least one dataset.

    Raises:
        ValueError: there is no dataset.

    >>> list(cg.data.ConcatDataset(["ab", "c"]))
    ['a', 'b', 'c']
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one dataset, got none")
        if any(getattr(dataset, "__getitem__", None) is None for dataset in self.datasets):
            raise ValueError("ConcatDataset: the datasets must define __getitem__; ChainDataset takes iterable ones")
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        """Return the item at an index; a negative one counts from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"ConcatDataset: index {index} is out of range for {len(self)} items")
        index %= len(self)
        number = int(np.searchsorted(self.cumulative_sizes, index, "right"))
        return self.datasets[number][index - (self.cumulative_sizes[number - 1] if number else 0)]


def as_tensor(value: Tensor | Array) -> Tensor:
    """A tensor that shares the value's memory."""
    return value if isinstance(value, Tensor) else Tensor(plain("TensorDataset", value))


def rows_of(tensor: Tensor, index: Any) -> Tensor:
    """The rows of a tensor at an index, outside the graph; writes to a view of it are counted with its own."""
    rows = Tensor(np.asarray(tensor.array[index]))
    if np.may_share_memory(rows.array, tensor.array):
        rows._share_version(tensor)
    return rows


def permuter(generator: Permuter | None) -> Permuter:
    """The given generator, or the default one."""
    if generator is not None and not hasattr(generator, "permutation"):
        raise TypeError(f"generator must be a Generator, got {type(generator).__name__}")
    return current_generator() if generator is None else generator
