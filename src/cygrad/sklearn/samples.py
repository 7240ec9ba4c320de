"""Samples: the rows that an estimator trains on, and the rows that it holds out for validation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from cygrad._typing import Array
from cygrad.tensor import Tensor

__all__ = [
    "Batch",
    "Samples",
    "contiguous",
    "dense",
    "hold_out",
    "mean_and_deviation",
    "row_keys",
    "rows_besides",
]

Batch = tuple[Tensor, Tensor, "Tensor | None"]  # inputs, targets, and weights with sum 1


@dataclass(frozen=True)
class Samples:
    """Inputs x (N, D), an array or a CSR matrix; targets y, class indices (N) or columns (N, C); and optionally a
    weight > 0 for each sample (N)."""

    x: Any
    y: Array
    weight: Array | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def take(self, rows: Array) -> Samples:
        """The samples at these indices."""
        return Samples(self.x[rows], self.y[rows], None if self.weight is None else self.weight[rows])

    @property
    def sparse(self) -> bool:
        """Whether x is a CSR matrix."""
        return not isinstance(self.x, np.ndarray)

    def batch(self, rows: Array | slice) -> Batch:
        """The samples at these indices as dense tensors. The weights are divided by their sum and have as many axes as
        y."""
        x, y = Tensor(dense(self.x, rows)), Tensor(dense(self.y, rows))
        if self.weight is None:
            return x, y, None
        weight = self.weight[rows]
        return x, y, Tensor(self.beside_y(weight / weight.sum()))

    def whole(self) -> Batch:
        """All samples as one batch."""
        return self.batch(slice(None))

    def beside_y(self, weight: Array) -> Array:
        """Weights (N) reshaped to broadcast against y."""
        return weight.reshape(-1, *[1] * (self.y.ndim - 1))


def dense(array: Any, rows: Array | slice) -> Array:
    """Rows of an array or a CSR matrix, as an array."""
    if not isinstance(array, np.ndarray):
        return np.asarray(array[rows].toarray())
    return array[rows] if isinstance(rows, slice) else array.take(rows, 0)


def contiguous(x: Any) -> Any:
    """An array in C order; a CSR matrix is returned unchanged."""
    return np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x


def hold_out(
    n: int, labels: Array | None, fraction: float, random: np.random.RandomState, name: str
) -> tuple[Array, Array]:
    """Splits n rows into a training set and a validation set of ⌈fraction·n⌉ rows, and returns the indices of both.

    With `labels` the validation set is drawn within each class if the classes are large enough, and every class keeps
    at least one row in the training set. Raises ValueError if the validation set would have fewer than two rows, or the
    training set none.
    """
    size = math.ceil(fraction * n)
    if size < 2 or n - size < 1:
        raise ValueError(
            f"{name}: early_stopping needs at least two samples for validation and one for training, but "
            f"validation_fraction={fraction} holds out {size} of {n} samples"
        )
    split = {"n_splits": 1, "test_size": size, "train_size": n - size, "random_state": random}
    rows = np.arange(n)
    if labels is None:
        return next(ShuffleSplit(**split).split(rows))
    classes, first, counts = np.unique(labels, return_index=True, return_counts=True)
    if counts.min() >= 2 and min(size, n - size) >= len(classes):
        return next(StratifiedShuffleSplit(**split).split(rows, labels))
    free = np.setdiff1d(rows, first)
    if len(free) < 2:
        raise ValueError(
            f"{name}: early_stopping needs at least two samples for validation, but of {n} samples in {len(classes)} "
            f"classes only {len(free)} can be held out if each class keeps one for training"
        )
    validation = random.permutation(free)[:size]
    return np.setdiff1d(rows, validation), validation


def mean_and_deviation(columns: Array) -> tuple[Array, Array]:
    """The mean and the deviation of each column in float64; 1 is the deviation of a constant."""
    deviation = columns.std(0, dtype=np.float64)
    return columns.mean(0, dtype=np.float64), np.where(deviation > 0, deviation, 1.0)


def row_keys(samples: Samples) -> Iterator[bytes]:
    """The bytes of each row, input and target."""
    x, y = samples.x, samples.y
    if isinstance(x, np.ndarray):
        return (a.tobytes() + b.tobytes() for a, b in zip(x, y))
    bounds = zip(x.indptr, x.indptr[1:])
    return (x.indices[i:j].tobytes() + x.data[i:j].tobytes() + b.tobytes() for (i, j), b in zip(bounds, y))


def rows_besides(samples: Samples, validation: Counter[bytes]) -> Array:
    """The indices of the rows outside the validation set, given the keys of the latter. Of several equal rows, as many
    are left out as the validation set has."""
    remaining, rows = validation.copy(), []
    for row, key in enumerate(row_keys(samples)):
        if remaining[key]:
            remaining[key] -= 1
        else:
            rows.append(row)
    return np.array(rows, np.intp)
