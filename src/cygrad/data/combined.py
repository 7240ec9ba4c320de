"""Datasets made of others, and datasets that are iterated over. As in ``torch.utils.data``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from cygrad.data.dataset import Dataset

__all__ = ["ChainDataset", "IterableDataset", "StackDataset"]


class StackDataset(Dataset):
    """Item i consists of the items i of several datasets: a tuple, or a dict for datasets given by name.

    Args:
        args: datasets of equal length.
        kwargs: or datasets by name.

    Raises:
        ValueError: the lengths differ, or there is no dataset, or there are both kinds.

    >>> cg.data.StackDataset("ab", [1, 2])[1]
    ('b', 2)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.datasets: Any = args or kwargs
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset: expected datasets, either in order or by name")
        lengths = {len(dataset) for dataset in args or kwargs.values()}
        if len(lengths) > 1:
            raise ValueError(f"StackDataset: the datasets differ in length: {sorted(lengths)}")
        (self._length,) = lengths

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)


class IterableDataset(Dataset):
    """Base class of datasets without indices: subclasses define ``__iter__``.

    A loader iterates over it once for each epoch, whatever its number of workers: no item comes twice.
    """

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the items of an epoch."""
        raise NotImplementedError(f"{type(self).__name__}: an IterableDataset must define __iter__")

    def __add__(self, other: Any) -> ChainDataset:
        return ChainDataset([self, other])

    __len__: Any = None  # a subclass may define it
    __getitem__: Any = None


class ChainDataset(IterableDataset):
    """The items of several iterable datasets, one after the other.

    Args:
        datasets: the datasets.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(map(len, self.datasets))
