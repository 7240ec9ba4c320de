"""Epochs cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from cygrad._attributes import cached_property
from cygrad._typing import Array
from cygrad.compiler import CompiledFunction, Epochs
from cygrad.sklearn.samples import Batch, Samples
from cygrad.tensor import Tensor

__all__ = ["BatchGroup", "cut"]


class BatchGroup:
    """Consecutive batches of one size in every epoch: `size`, the index `first` of the first batch, counted from 1, and
    the slice `span` of an epoch's order that they cover."""

    def __init__(self, samples: Samples, size: int, first: int, span: slice) -> None:
        self.samples = samples
        self.size = size
        self.first = first
        self.span = span
        self.count = (span.stop - span.start) // size
        self.epochs: Epochs | None = None

    def one_by_one(self, order: Array) -> Iterator[tuple[int, Batch]]:
        """Each batch of an epoch, with its index."""
        for index, rows in enumerate(order[self.span].reshape(self.count, self.size), self.first):
            yield index, self.samples.batch(rows)

    def at_once(self, step: CompiledFunction[..., Any], order: Array, *options: Any) -> Any:
        """Returns the results of step(*batch, *options) for all batches of an epoch, stacked. Later calls use the step
        and the options of the first call."""
        rows = order[self.span]
        if self.epochs is None:
            self.epochs = Epochs(step, (*self.data, *options), {}, self.size)
        if self.samples.weight is not None:
            weight = self.samples.weight[rows].reshape(self.count, self.size)
            self.relative_weight[rows] = (weight / weight.sum(1, keepdims=True)).ravel()
        return self.epochs.run(rows)

    @cached_property
    def relative_weight(self) -> Array:
        """The weight of each sample (N) divided by the sum of the weights of its batch."""
        return np.zeros_like(self.samples.weight)

    @cached_property
    def data(self) -> Batch:
        """All samples."""
        weight = None if self.samples.weight is None else Tensor(self.samples.beside_y(self.relative_weight))
        return Tensor(self.samples.x), Tensor(self.samples.y), weight


def cut(samples: Samples, size: int, minimum: int) -> list[BatchGroup]:
    """Cuts an epoch into batches of `size` samples, as scikit-learn does. The last batch may be smaller, but not
    smaller than `minimum`."""
    groups, first = [], 1
    slices = gen_batches(len(samples), size, min_batch_size=minimum)
    for batch_size, equal in groupby(slices, lambda rows: int(rows.stop - rows.start)):
        batches = list(equal)
        groups.append(BatchGroup(samples, batch_size, first, slice(batches[0].start, batches[-1].stop)))
        first += len(batches)
    return groups
