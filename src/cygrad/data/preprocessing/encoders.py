"""Encoders: one table column converted to features."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.parsing import parse_number
from cygrad.data.tables.column import BOOLEANS, format_number, to_numbers

__all__ = ["Category", "Encoder", "Number", "encoder_from_dict", "encoder_to_dict"]

Value = float | str | None
MAX_LISTED = 6  # values listed in a message


@dataclass(frozen=True)
class Number:
    """Standardize a numeric column: (x − mean)/std, shape (N, 1).

    If values were missing in the training data, the shape is (N, 2): missing values are encoded as the mean, that is as
    0, and the second feature is 1 where a value is missing.

    Args:
        name: name of the column.
        mean: mean of the training data.
        std: standard deviation of the training data, positive.
        marked: whether to add the second feature.

    >>> from cygrad.data.preprocessing import Number
    >>> Number("height", mean=1.7, std=0.1, marked=True).encode(np.array([1.8, np.nan])).round(3)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """

    name: str
    mean: float
    std: float
    marked: bool = False

    @property
    def features(self) -> list[str]:
        """Names of the features."""
        return [self.name, *([f"{self.name} is missing"] if self.marked else [])]

    def unknown(self, column: Array) -> Array:
        """Return a boolean mask (N,) of values that are missing although none was in the training data."""
        return np.isnan(to_numbers(self.name, column)) & (not self.marked)

    def encode(self, column: Array, unseen: str = "raise") -> Array:
        """Encode a column.

        Args:
            column: values (N,).
            unseen: "raise", or "ignore" to replace missing values by the mean even if none was missing in training.

        Returns:
            Features (N, 1) or (N, 2) of float32.

        Raises:
            ValueError: if a value is text, infinite, too far from the mean, or missing; the message names the row.
        """
        numbers = to_numbers(self.name, column)
        if np.isinf(numbers).any():
            row = int(np.argmax(np.isinf(numbers)))
            raise ValueError(f"column {self.name!r} contains {numbers[row]} in row {row + 1}, expected a finite number")
        if unseen == "raise" and (unknown := self.unknown(column)).any():
            row = int(np.argmax(unknown))
            raise ValueError(
                f"column {self.name!r} has a missing value in row {row + 1}, but had none in the training data"
            )
        missing = np.isnan(numbers)
        with np.errstate(over="ignore"):
            scaled = np.where(missing, 0.0, (numbers - self.mean) / self.std).astype(np.float32)
        if not np.isfinite(scaled).all():
            row = int(np.argmin(np.isfinite(scaled)))
            raise ValueError(f"column {self.name!r} contains {numbers[row]} in row {row + 1}, too far from the mean")
        parts = [scaled, missing.astype(np.float32)] if self.marked else [scaled]
        return np.stack(parts, 1)


@dataclass(frozen=True)
class Category:
    """One-hot encode a categorical column, shape (N, number of values).

    Args:
        name: name of the column.
        values: the categories, all numbers or all text; None among them is the category of missing values.

    >>> from cygrad.data.preprocessing import Category
    >>> Category("city", ["Bern", "Oslo"]).encode(np.array(["Oslo", "Bern"], object))
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """

    name: str
    values: list[Value] = field(default_factory=list)

    @property
    def features(self) -> list[str]:
        """Names of the features."""
        return [f"{self.name} is {format_value(value)}" for value in self.values]

    @property
    def of_text(self) -> bool:
        """Whether the categories are text."""
        return any(isinstance(value, str) for value in self.values)

    def unknown(self, column: Array) -> Array:
        """Return a boolean mask (N,) of values that are not among the categories."""
        return self._indices(column) < 0

    def _indices(self, column: Array) -> Array:
        """The index of each value's category, −1 for other values."""
        indices = {value: index for index, value in enumerate(self.values)}
        return np.array([indices.get(value, -1) for value in self.read(column)], np.int64)

    def codes(self, column: Array, unseen: str = "raise") -> Array:
        """Return the index of each value's category.

        Args:
            column: values (N,).
            unseen: "raise", or "ignore" to return the category of missing values for other ones, −1 if there is none.

        Returns:
            Indices (N,) of int64.

        Raises:
            ValueError: if a value is not among the categories; the message names the row.
        """
        codes = self._indices(column)
        if unseen == "ignore" and None in self.values:
            codes[codes < 0] = self.values.index(None)
        if unseen == "raise" and (codes < 0).any():
            row = int(np.argmax(codes < 0))
            got = format_value(None if is_missing(column[row]) else column[row])[:60]
            known = ", ".join(map(format_value, self.values[:MAX_LISTED]))
            known += ", …" if len(self.values) > MAX_LISTED else ""
            raise ValueError(
                f"column {self.name!r} contains {got} in row {row + 1}; the training data had only {known}"
            )
        return codes

    def read(self, column: Array) -> list[Value]:
        """Return the values of a column as numbers or as text, whichever the categories are."""
        values = [None if is_missing(value) else value for value in column.tolist()]
        if self.of_text:
            if set(self.values) <= {*BOOLEANS.values(), None}:
                values = [BOOLEANS.get(value.lower(), value) if isinstance(value, str) else value for value in values]
            return [format_number(value) if isinstance(value, float) else value for value in values]
        return [parse_number(value) if isinstance(value, str) else value for value in values]

    def encode(self, column: Array, unseen: str = "raise") -> Array:
        """Encode a column.

        Args:
            column: values (N,).
            unseen: "raise", or "ignore" to encode other values as missing ones, or as all zeros if none was missing in
                training.

        Returns:
            Features (N, number of values) of float32.

        Raises:
            ValueError: if a value is not among the categories; the message names the row.
        """
        return (self.codes(column, unseen)[:, None] == np.arange(len(self.values))).astype(np.float32)


Encoder = Number | Category


def is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def format_value(value: Value) -> str:
    """A value as it appears in messages and feature names."""
    if value is None:
        return "a missing value"
    return format_number(value) if isinstance(value, float) else repr(value)


def encoder_to_dict(encoder: Encoder) -> dict[str, Any]:
    """An encoder as JSON values."""
    return {"kind": "number" if isinstance(encoder, Number) else "category", **asdict(encoder)}


def encoder_from_dict(description: Any) -> Encoder:
    """The inverse of ``encoder_to_dict``. Raises ValueError for other values."""
    options = dict(description) if isinstance(description, dict) else {}
    kind = options.pop("kind", None)
    try:
        encoder = {"number": Number, "category": Category}[kind](**options)
    except (KeyError, TypeError):
        raise ValueError(f"not a description of an encoder: {str(description)[:100]}") from None
    if not isinstance(encoder.name, str) or not is_valid(encoder):
        raise ValueError(f"the description of the encoder of column {str(encoder.name)[:40]!r} has invalid values")
    if isinstance(encoder, Category):
        return Category(encoder.name, [float(v) if isinstance(v, int) else v for v in encoder.values])
    return encoder


def is_valid(encoder: Encoder) -> bool:
    """Whether the encoder's attributes have the right types and ranges."""
    if isinstance(encoder, Category):
        values = encoder.values
        kinds = {type(value) for value in values} - {type(None)} if isinstance(values, list) else {list}
        return kinds <= {str} or kinds <= {int, float}
    numbers = encoder.mean, encoder.std
    if any(type(number) not in (int, float) or not math.isfinite(number) for number in numbers):
        return False
    return encoder.std > 0 and isinstance(encoder.marked, bool)
