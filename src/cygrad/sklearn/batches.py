"""Epochs cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from cygrad._typing import Array
from cygrad.compiler import CompiledFunction, Epochs
from cygrad.sklearn.samples import Samples
from cygrad.tensor import Tensor

__all__ = ["Batch", "Group", "cut"]

Batch = tuple[Tensor, Tensor, "Tensor | None"]


class Group:
    """Batches of one size that follow each other in every epoch: their size, the number of the first, from 1, and the
    places that their rows have in an epoch's order."""

    def __init__(self, samples: Samples, size: int, first: int, places: slice) -> None:
        self.samples = samples
        self.size = size
        self.first = first
        self.places = places
        self.count = (places.stop - places.start) // size
        self.epochs: Epochs | None = None

    def in_turn(self, order: Array) -> Iterator[tuple[int, Batch]]:
        """Each batch of an epoch, with its number."""
        for number, rows in enumerate(order[self.places].reshape(self.count, self.size), self.first):
            yield number, self.samples.batch(rows)

    def at_once(self, step: CompiledFunction, order: Array, *options: Any) -> Any:
        """What step(*batch, *options) returns for each batch of an epoch, stacked. Step and options are those of the
        first call."""
        rows = order[self.places]
        if self.epochs is None:
            self.epochs = Epochs(step, (*self.data, *options), {}, self.size)
        if self.samples.weight is not None:
            weight = self.samples.weight[rows].reshape(self.count, self.size)
            self.shares[rows] = (weight / weight.sum(1, keepdims=True)).ravel()
        return self.epochs.run(rows)

    @cached_property
    def shares(self) -> Array:
        """Of each sample, its share of the weight of its batch."""
        return np.zeros_like(self.samples.weight)

    @cached_property
    def data(self) -> Batch:
        """All samples."""
        weight = None if self.samples.weight is None else Tensor(self.samples.beside_y(self.shares))
        return Tensor(self.samples.x), Tensor(self.samples.y), weight


def cut(samples: Samples, size: int, least: int) -> list[Group]:
    """An epoch of samples in batches of `size`, cut as scikit-learn does. The last batch may be smaller, but not
    smaller than `least`."""
    groups, first = [], 1
    slices = gen_batches(len(samples), size, min_batch_size=least)
    for own, same in groupby(slices, lambda rows: int(rows.stop - rows.start)):
        batches = list(same)
        groups.append(Group(samples, own, first, slice(batches[0].start, batches[-1].stop)))
        first += len(batches)
    return groups
