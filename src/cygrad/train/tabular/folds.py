"""The rows of an ensemble's members, and their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cygrad._typing import Array
from cygrad.data.dataset import Permuter, permuter
from cygrad.data.sampler import Sampler

__all__ = ["Folds", "MemberSampler", "ValidationSampler"]


@dataclass(frozen=True)
class Folds:
    """The rows that each member trains on, and those that it is validated on, equally many for each.

    Args:
        train: row indices of each member.
        validation: row indices of each member.
    """

    train: list[Array]
    validation: list[Array]

    @staticmethod
    def drawn(strata: Array | None, count: int, members: int, fraction: float, generator: Permuter) -> Folds:
        """Draw a validation set for each member: the parts of a K-fold split, so that together they are all rows.

        Rows that are left over where K does not divide their number belong to every member's training set.

        Args:
            strata: a class for each row, within which rows are dealt out; or None.
            count: number of rows.
            members: K.
            fraction: of the rows for the validation of a single member.
            generator: draws the split.
        """
        parts = min(members if members > 1 else max(2, round(1 / fraction)), count)
        order = generator.permutation(count)[count % parts :]
        if strata is not None:
            order = order[np.argsort(strata[order], kind="stable")]
        part = np.full(count, -1, np.intp)
        part[order] = np.arange(len(order)) % parts
        held = [k % parts for k in range(members)]
        return Folds([np.flatnonzero(part != k) for k in held], [np.flatnonzero(part == k) for k in held])

    @staticmethod
    def of_groups(groups: Array, members: int, fraction: float, generator: Permuter) -> Folds:
        """Draw a validation set for each member as ``drawn`` does, where all rows of a group are in one part.

        Groups go to the part with the fewest rows, the largest first. If the parts differ, members are validated on as
        many rows as the smallest one has, and some rows of the training sets that are smaller than the largest one are
        there twice.

        Args:
            groups: the group of each row.
            members: K; with fewer groups than members, some have the same rows.
            fraction: of the rows for the validation of a single member.
            generator: draws the split.

        Raises:
            ValueError: if there is only one group.
        """
        values, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
        if len(values) < 2:
            raise ValueError(f"folds of groups need at least two groups, got {len(values)}")
        parts = min(members if members > 1 else max(2, round(1 / fraction)), len(values))
        order = generator.permutation(len(values))
        sizes, part_of = np.zeros(parts, np.intp), np.zeros(len(values), np.intp)
        for group in order[np.argsort(-counts[order], kind="stable")]:
            part_of[group] = sizes.argmin()
            sizes[part_of[group]] += counts[group]
        part, least, most = part_of[codes], sizes.min(), len(codes) - sizes.min()

        def drawn(rows: Array, count: int) -> Array:
            shuffled = rows[generator.permutation(len(rows))]
            return np.sort(np.resize(shuffled, count))

        held = [k % parts for k in range(members)]
        train = [drawn(np.flatnonzero(part != k), most) for k in held]
        return Folds(train, [drawn(np.flatnonzero(part == k), least) for k in held])

    @staticmethod
    def shared(train: int, validation: int, members: int) -> Folds:
        """Give all members the same rows: the first `train` ones, and the `validation` ones after them."""
        rows = np.arange(train + validation)
        return Folds([rows[:train]] * members, [rows[train:]] * members)

    def same_for(self, members: int) -> Folds:
        """The rows of the first member, for all of some members."""
        return Folds(self.train[:1] * members, self.validation[:1] * members)

    @property
    def members(self) -> int:
        """The number of members."""
        return len(self.train)

    @property
    def size(self) -> int:
        """The number of training rows of each member."""
        return len(self.train[0])

    def epoch(self, generator: Permuter, batch: int) -> Array:
        """The rows of an epoch, for each full batch those of all members in turn: (batches·members·batch,)."""
        count = self.size // batch
        rows = [rows[generator.permutation(self.size)[: count * batch]].reshape(count, batch) for rows in self.train]
        return np.stack(rows, 1).reshape(-1)


class MemberSampler(Sampler):
    """The rows of an epoch of training, for a loader whose batches hold `batch` rows of each member.

    Args:
        folds: the rows of the members.
        batch: rows of a batch, for each member.
        generator: draws the order; the default generator if None.
    """

    def __init__(self, folds: Folds, batch: int, generator: Permuter | None = None) -> None:
        self.folds = folds
        self.batch = batch
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        return iter(self.folds.epoch(permuter(self.generator), self.batch).tolist())

    def __len__(self) -> int:
        return self.folds.size // self.batch * self.batch * self.folds.members


class ValidationSampler(Sampler):
    """The rows for validation, for a loader whose batches hold at most `batch` rows of each member.

    Args:
        folds: the rows of the members.
        batch: rows of a batch, for each member.
    """

    def __init__(self, folds: Folds, batch: int) -> None:
        self.rows = np.stack(folds.validation)
        self.batch = batch

    def __iter__(self) -> Iterator[int]:
        starts = range(0, self.rows.shape[1], self.batch)
        return iter(np.concatenate([self.rows[:, i : i + self.batch].reshape(-1) for i in starts]).tolist())

    def __len__(self) -> int:
        return self.rows.size
