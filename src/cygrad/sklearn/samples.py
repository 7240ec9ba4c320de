"""Samples: the rows that an estimator learns from, and those that it holds out for validation."""

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

__all__ = ["Samples", "contiguous", "dense", "hold_out", "row_keys", "rows_besides"]


@dataclass(frozen=True)
class Samples:
    """Inputs x (N, D), an array or a CSR matrix; targets y, class numbers (N) or columns (N, C); and for each sample
    a weight (N) above 0, or None."""

    x: Any
    y: Array
    weight: Array | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def take(self, rows: Array) -> Samples:
        """Some of the rows."""
        return Samples(self.x[rows], self.y[rows], None if self.weight is None else self.weight[rows])

    @property
    def sparse(self) -> bool:
        """Whether x is a CSR matrix."""
        return not isinstance(self.x, np.ndarray)

    def batch(self, rows: Array | slice) -> tuple[Tensor, Tensor, Tensor | None]:
        """Some of the rows as dense tensors. The weights are divided by their sum, and have as many axes as y."""
        x, y = Tensor(dense(self.x, rows)), Tensor(dense(self.y, rows))
        if self.weight is None:
            return x, y, None
        weight = self.weight[rows]
        return x, y, Tensor(self.beside_y(weight / weight.sum()))

    def whole(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """All of the rows as one batch."""
        return self.batch(slice(None))

    def beside_y(self, weight: Array) -> Array:
        """Weights with as many axes as y has."""
        return weight.reshape(-1, *[1] * (self.y.ndim - 1))


def dense(array: Any, rows: Array | slice) -> Array:
    """Rows of an array or a CSR matrix, as an array."""
    if not isinstance(array, np.ndarray):
        return np.asarray(array[rows].toarray())
    return array[rows] if isinstance(rows, slice) else array.take(rows, 0)


def contiguous(x: Any) -> Any:
    """The rows one behind the other; CSR stays as it is."""
    return np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x


def hold_out(
    n: int, labels: Array | None, fraction: float, random: np.random.RandomState, name: str
) -> tuple[Array, Array]:
    """The rows to train on, and those held out for validation, ⌈fraction·n⌉ of them, drawn within each class of
    `labels` where these are given and the classes are large enough. Every class keeps a row to train on.

    Raises ValueError where fewer than two rows would be held out, or none be left.
    """
    size = math.ceil(fraction * n)
    if size < 2 or n - size < 1:
        raise ValueError(
            f"{name}: early_stopping needs two samples or more to validate on, and one to train on, but "
            f"validation_fraction={fraction} of {n} samples are {size}"
        )
    parts = {"n_splits": 1, "test_size": size, "train_size": n - size, "random_state": random}
    rows = np.arange(n)
    if labels is None:
        return next(ShuffleSplit(**parts).split(rows))
    classes, first, counts = np.unique(labels, return_index=True, return_counts=True)
    if counts.min() >= 2 and min(size, n - size) >= len(classes):
        return next(StratifiedShuffleSplit(**parts).split(rows, labels))
    free = np.setdiff1d(rows, first)
    if len(free) < 2:
        raise ValueError(
            f"{name}: early_stopping needs two samples or more to validate on, but {n} samples of {len(classes)} "
            f"classes leave {len(free)} when each class keeps one to train on"
        )
    held = random.permutation(free)[:size]
    return np.setdiff1d(rows, held), held


def row_keys(samples: Samples) -> Iterator[bytes]:
    """The bytes of every row, input and target."""
    x, y = samples.x, samples.y
    if isinstance(x, np.ndarray):
        return (a.tobytes() + b.tobytes() for a, b in zip(x, y))
    starts = zip(x.indptr, x.indptr[1:])
    return (x.indices[i:j].tobytes() + x.data[i:j].tobytes() + b.tobytes() for (i, j), b in zip(starts, y))


def rows_besides(samples: Samples, held: Counter[bytes]) -> Array:
    """The numbers of the rows that are not held out. Of rows that are equal, as many count as held out as there are in
    `held`."""
    left, rows = held.copy(), []
    for row, key in enumerate(row_keys(samples)):
        if left[key]:
            left[key] -= 1
        else:
            rows.append(row)
    return np.array(rows, np.intp)
