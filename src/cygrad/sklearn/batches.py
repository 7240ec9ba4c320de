"""Epochs cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from sklearn.utils import gen_batches

from cygrad._typing import Array

__all__ = ["Group", "cut"]


class Group(NamedTuple):
    """Batches of one size that follow each other in an epoch: the number of the first, from 1, the size of each, and
    the rows of all together."""

    first: int
    size: int
    rows: slice

    @property
    def count(self) -> int:
        """How many batches there are."""
        return int(self.rows.stop - self.rows.start) // self.size

    def batches(self, order: Array) -> Iterator[tuple[int, Array]]:
        """The number of each batch, and its part of `order`, which is that of the group."""
        for place in range(self.count):
            yield self.first + place, order[place * self.size : (place + 1) * self.size]


def cut(n: int, size: int, least: int) -> list[Group]:
    """An epoch of n samples in batches of `size`, cut as scikit-learn does. The last batch may be smaller, but not
    smaller than `least`."""
    groups, first = [], 1
    for own, same in groupby(gen_batches(n, size, min_batch_size=least), lambda rows: rows.stop - rows.start):
        batches = list(same)
        groups.append(Group(first, own, slice(batches[0].start, batches[-1].stop)))
        first += len(batches)
    return groups
