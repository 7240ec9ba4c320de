"""What the encoders of numbers and of dates have in common."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np

from cygrad._typing import Array
from cygrad.data.tables.column import as_number, to_numbers

__all__ = ["FAR", "HUGE", "NumberEncoder", "clipped", "is_missing", "missing_mask"]

FAR = 10.0  # interquartile ranges, or standard deviations of dates
HUGE = 1e100


class NumberEncoder:
    """Encode a column of numbers as features (N, k), or (N, k + 1) if values were missing in the training data; then
    the last feature is 1 where a value is missing, and the others 0."""

    name: str
    marked: bool

    @property
    def parts(self) -> list[str]:
        """Names of the features without the one that marks missing values."""
        return [self.name]

    @property
    def features(self) -> list[str]:
        """Names of the features."""
        return [*self.parts, *([f"{self.name} is missing"] if self.marked else [])]

    @property
    def typical(self) -> list[float]:
        """Two values of the column."""
        raise NotImplementedError(f"{type(self).__name__}: typical is not defined")

    def numbers(self, column: Array) -> Array:
        """Return the values as float64 (N,), NaN where one is missing or can't be encoded: text, infinity, a number so
        far out that its feature is infinite."""
        numbers = to_numbers(column)
        if len(numbers):  # scaled() is monotonic, and NaN is both the least and the largest number
            extremes = np.array([numbers.min(), numbers.max()])
            with np.errstate(over="ignore", invalid="ignore"):
                if np.isfinite(extremes).all() and np.isfinite(self.scaled(extremes).astype(np.float32)).all():
                    return numbers
        with np.errstate(over="ignore", invalid="ignore"):
            usable = np.isfinite(self.scaled(numbers).astype(np.float32)).all(1) & np.isfinite(numbers)
        return numbers if usable.all() else np.where(usable, numbers, np.nan)

    def scaled(self, numbers: Array) -> Array:
        """Return the features (N, k) of numbers (N,), NaN where they are."""
        raise NotImplementedError(f"{type(self).__name__}: scaled is not defined")

    def unknown(self, column: Array) -> Array:
        """Return a boolean mask (N,) of values that can't be encoded, and of missing ones if none was in the training
        data."""
        unusable = np.isnan(self.numbers(column))
        return unusable & ~missing_mask(column) if self.marked and unusable.any() else unusable

    def outliers(self, column: Array) -> Array:
        """Return a boolean mask (N,) of values that are far from the training data and are clipped."""
        return np.zeros(len(column), bool)

    def refuse(self, row: int, value: Any) -> NoReturn:
        """Raise ValueError for the value in a row, which can't be encoded."""
        where = f"column {self.name!r} contains {value if isinstance(value, float) else repr(value[:40])} in row {row}"
        number = as_number(value)
        if number is None:
            raise ValueError(f"{where}, expected a number")
        raise ValueError(f"{where}, {'too far from the mean' if math.isfinite(number) else 'expected a finite number'}")

    def encode(self, column: Array, unseen: str = "raise") -> Array:
        """Encode a column.

        Args:
            column: values (N,).
            unseen: "raise", or "ignore" to take values that can't be encoded for missing ones, and missing ones for the
                center if none was missing in training.

        Returns:
            Features (N, number of features) of float32.

        Raises:
            ValueError: if a value can't be encoded, or is missing although none was in training; the message names the
                row.
        """
        numbers = self.numbers(column)
        missing = np.isnan(numbers)
        if unseen == "raise" and missing.any() and (unknown := self.unknown(column)).any():
            row = int(np.argmax(unknown))
            if is_missing(column[row]):
                raise ValueError(
                    f"column {self.name!r} has a missing value in row {row + 1}, but had none in the training data"
                )
            self.refuse(row + 1, column[row])
        with np.errstate(over="ignore"):  # before numbers far out are clipped
            scaled = self.scaled(numbers).astype(np.float32)
        scaled[missing] = 0
        return np.concatenate([scaled, missing[:, None].astype(np.float32)], 1) if self.marked else scaled


def clipped(z: Any, functions: Any = np) -> Any:
    """z/√(1 + (z/3)²), which never exceeds ±3. `functions` has ``clip`` and ``sqrt`` for z."""
    z = functions.clip(z, -HUGE, HUGE)  # else z² overflows, and the largest numbers would become 0
    return z / functions.sqrt(1 + (z / 3) ** 2)


def is_missing(value: Any) -> bool:
    """Whether a value of a column is missing."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def missing_mask(column: Array) -> Array:
    """A boolean mask (N,) of the values of a column that are missing."""
    return column == None if column.dtype == object else np.isnan(column)  # noqa: E711 elementwise
