"""Rows of arrays, selected by a range or by indices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cygrad._typing import Array

__all__ = ["Indices", "Rows", "as_range", "select"]

Indices = range | Array


class Rows:
    """Arrays (N, …), and the indices (n,) of the rows that are selected from each: a range with step 1, or an array."""

    def __init__(self, columns: Sequence[Array], indices: Indices) -> None:
        self.columns = columns
        self.indices = indices

    def __len__(self) -> int:
        """Number of selected rows."""
        return len(self.indices)

    def take(self, indices: Sequence[int] | Array, op: str) -> Rows:
        """Select among the selected rows."""
        return Rows(self.columns, select(self.indices, indices, op))


def select(rows: Indices, indices: Sequence[int] | Array, op: str) -> Indices:
    """Return rows[indices]: a range if both are ranges with step 1, else an array.

    Raises:
        IndexError: if an index is out of range.
        TypeError: if the indices are not integers. `op` is named in the message.
    """
    n = len(rows)
    if isinstance(rows, range) and isinstance(indices, range) and indices.step == 1:
        if len(indices) and not 0 <= indices.start <= indices.stop <= n:
            raise IndexError(f"{op}: {indices} is out of range for a dataset of {n} items")
        return rows[indices.start : indices.stop]
    index = np.asarray(indices, None if len(indices) else np.int64)
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise TypeError(f"{op}: indices must be a sequence of integers, got {index.ndim}-d {index.dtype}")
    if index.size and not -n <= index.min() <= index.max() < n:
        raise IndexError(
            f"{op}: indices from {index.min()} to {index.max()} are out of range for a dataset of {n} items"
        )
    index = index.astype(np.int64)
    index[index < 0] += n
    return rows.start + index if isinstance(rows, range) else rows[index]


def as_range(rows: Indices) -> Indices:
    """Return the rows as a range if they are consecutive."""
    if isinstance(rows, range) or not rows.size or (np.diff(rows) != 1).any():
        return rows
    return range(int(rows[0]), int(rows[-1]) + 1)
