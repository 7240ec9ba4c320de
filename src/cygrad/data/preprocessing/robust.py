"""Numbers that are scaled robustly, all columns of a few rows at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cygrad._typing import Array
from cygrad.data.preprocessing.base import FAR, clipped, missing_mask
from cygrad.data.preprocessing.encoders import RobustNumber
from cygrad.data.tables.column import to_numbers
from cygrad.data.tables.table import Table

__all__ = ["RobustColumns"]


class RobustColumns:
    """The columns of a table with a :class:`RobustNumber` each, which one operation for all of them encodes. That pays
    for few rows, where most of the time is that of calls.

    Args:
        encoders: of the columns.
        starts: the index of each encoder's first feature among those of the table.
    """

    def __init__(self, encoders: Sequence[RobustNumber], starts: Sequence[int]) -> None:
        self.encoders = encoders
        self.starts = np.array(starts, np.intp)
        self.median = np.array([encoder.median for encoder in encoders])
        self.scale = np.array([encoder.scale for encoder in encoders])
        self.marked = np.array([encoder.marked for encoder in encoders], bool)

    def encode(self, table: Table, features: Array) -> tuple[list[int], list[int]]:
        """Write the features of all columns as ``RobustNumber.encode(column, unseen="ignore")`` returns them.

        Args:
            table: with the columns.
            features: of the table, (N, features) of float32; those of other columns stay as they are.

        Returns:
            For each column, the number of values that can't be encoded or are missing without a mark, and of outliers;
            see ``RobustNumber.unknown`` and ``outliers``.
        """
        numbers = np.stack([to_numbers(table[encoder.name]) for encoder in self.encoders], 1)
        with np.errstate(over="ignore", invalid="ignore"):
            z = (numbers - self.median) * self.scale
            usable = np.isfinite(numbers) & (z == z)  # 0·∞ is NaN
            far = (np.abs(z) > FAR) & usable
            features[:, self.starts] = np.where(usable, clipped(z), 0)
        features[:, self.starts[self.marked] + 1] = ~usable[:, self.marked]
        return self.unknown(table, ~usable), np.count_nonzero(far, 0).tolist()

    def unknown(self, table: Table, unusable: Array) -> list[int]:
        """The number of unusable values (N, columns) of each column, of a marked one without those that are missing."""
        counts: list[int] = np.count_nonzero(unusable, 0).tolist()
        return [
            int((unusable[:, i] & ~missing_mask(table[encoder.name])).sum()) if encoder.marked and count else count
            for i, (encoder, count) in enumerate(zip(self.encoders, counts, strict=True))
        ]
