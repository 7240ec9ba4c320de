"""Encoders: one table column converted to features."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.preprocessing.base import FAR, NumberEncoder, clipped, is_missing
from cygrad.data.preprocessing.dates import Date
from cygrad.data.tables.column import BOOLEANS, as_number, format_number, to_numbers

__all__ = ["Category", "Encoder", "Number", "RobustNumber", "encoder_from_dict", "encoder_to_dict"]

Value = float | str | None
MAX_LISTED = 6  # values listed in a message


@dataclass(frozen=True)
class Number(NumberEncoder):
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
    def typical(self) -> list[float]:
        """The mean, and one standard deviation above it."""
        return [self.mean, self.mean + self.std]

    def scaled(self, numbers: Array) -> Array:
        """Return (x − mean)/std, (N, 1)."""
        scaled: Array = (numbers[:, None] - self.mean) / self.std
        return scaled


@dataclass(frozen=True)
class RobustNumber(NumberEncoder):
    """Scale a numeric column by its quartiles and clip it smoothly to ±3: z/√(1 + (z/3)²) of z = (x − median)·scale.

    So an outlier is no more than far out, in training and in prediction. If values were missing in the training data,
    there is a second feature as in :class:`Number`. D. Holzmüller, L. Grinsztajn, I. Steinwart (2024), "Better by
    default".

    Args:
        name: name of the column.
        median: median of the training data.
        scale: 1/(q₇₅ − q₂₅), or 2/(max − min) where the quartiles are equal, or 0 for a constant.
        marked: whether to add the second feature.

    >>> from cygrad.data.preprocessing import RobustNumber
    >>> RobustNumber("height", median=1.7, scale=5.0).encode(np.array([1.7, 1.9, 1e9])).round(3)
    array([[0.   ],
           [0.949],
           [3.   ]], dtype=float32)
    """

    name: str
    median: float
    scale: float
    marked: bool = False

    @staticmethod
    def fitted(name: str, column: Array) -> RobustNumber:
        """Fit to a column of the training data, (N,) of float64 with NaN for missing values."""
        x = column[np.isfinite(column)]
        if not len(x):
            return RobustNumber(name, 0.0, 0.0, len(column) > 0)
        with np.errstate(over="ignore"):
            least, low, median, high, most = np.quantile(x, [0, 0.25, 0.5, 0.75, 1]).tolist()
        scale = 1 / (high - low) if high - low > 0 else 2 / (most - least) if most - least > 0 else 0.0
        return RobustNumber(name, median, scale if math.isfinite(scale) else 0.0, len(x) < len(column))

    @property
    def typical(self) -> list[float]:
        """The median, and one interquartile range above it."""
        return [self.median, self.median + (1 / self.scale if self.scale else 1.0)]

    def numbers(self, column: Array) -> Array:
        """Return the values as float64 (N,), NaN where one is missing, text or infinite."""
        if not self.scale:
            return super().numbers(column)
        numbers = to_numbers(column)
        usable = np.isfinite(numbers)  # features are clipped, so they are finite, too
        return numbers if usable.all() else np.where(usable, numbers, np.nan)

    def outliers(self, column: Array) -> Array:
        """Return a boolean mask (N,) of values with z beyond ±10, ten interquartile ranges from the median."""
        with np.errstate(over="ignore"):
            return np.abs(self.numbers(column) - self.median) * self.scale > FAR

    def scaled(self, numbers: Array) -> Array:
        """Return z/√(1 + (z/3)²), (N, 1)."""
        scaled: Array = clipped((numbers[:, None] - self.median) * self.scale)
        return scaled


@dataclass(frozen=True)
class Category:
    """One-hot encode a categorical column, shape (N, number of values), or one more with `other`.

    Args:
        name: name of the column.
        values: the categories, all numbers or all text; None among them is the category of missing values.
        other: whether all other values, which were rare in the training data, form a last category.

    >>> from cygrad.data.preprocessing import Category
    >>> Category("city", ["Bern", "Oslo"]).encode(np.array(["Oslo", "Bern"], object))
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """

    name: str
    values: list[Value] = field(default_factory=list)
    other: bool = False

    @property
    def features(self) -> list[str]:
        """Names of the features."""
        named = [f"{self.name} is {format_value(value)}" for value in self.values]
        return [*named, *([f"{self.name} is another value"] if self.other else [])]

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.values) + self.other

    @property
    def of_text(self) -> bool:
        """Whether the categories are text."""
        return any(isinstance(value, str) for value in self.values)

    def unknown(self, column: Array) -> Array:
        """Return a boolean mask (N,) of values that are not among the categories."""
        return self._indices(column) < 0

    def _indices(self, column: Array) -> Array:
        """The index of each value's category, −1 for values without one."""
        indices = {value: index for index, value in enumerate(self.values)}
        rest = len(self.values) if self.other else -1
        return np.array([indices.get(v, -1 if v is None else rest) for v in self.read(column)], np.int64)

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
        """Return the values of a column as numbers or as text, whichever the categories are. Truth values may be
        spelled in any case, or as 1 and 0."""
        values = [None if is_missing(value) else value for value in column.tolist()]
        if not self.of_text:
            return [as_number(value) for value in values]
        texts = [format_number(value) if isinstance(value, float) else value for value in values]
        if set(self.values) <= {*BOOLEANS.values(), None}:
            spellings = {**BOOLEANS, "1": "True", "0": "False"}
            return [None if text is None else spellings.get(text.lower(), text) for text in texts]
        return texts

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
        return (self.codes(column, unseen)[:, None] == np.arange(self.width)).astype(np.float32)


Encoder = Number | RobustNumber | Date | Category


def format_value(value: Value) -> str:
    """A value as it appears in messages and feature names."""
    if value is None:
        return "a missing value"
    return format_number(value) if isinstance(value, float) else repr(value)


def encoder_to_dict(encoder: Encoder) -> dict[str, Any]:
    """An encoder as JSON values."""
    kind = "category" if isinstance(encoder, Category) else "date" if isinstance(encoder, Date) else "number"
    description = {"kind": kind, **asdict(encoder)}
    return {name: value for name, value in description.items() if name != "other" or value}


def encoder_from_dict(description: Any) -> Encoder:
    """The inverse of ``encoder_to_dict``. Raises ValueError for other values."""
    options = dict(description) if isinstance(description, dict) else {}
    kind = options.pop("kind", None)
    try:
        number = RobustNumber if "median" in options else Number
        encoder = {"number": number, "date": Date, "category": Category}[kind](**options)
    except (KeyError, TypeError):
        raise ValueError(f"not a description of an encoder: {str(description)[:100]}") from None
    if not isinstance(encoder.name, str) or not is_valid(encoder):
        raise ValueError(f"the description of the encoder of column {str(encoder.name)[:40]!r} has invalid values")
    if isinstance(encoder, Category):
        return Category(encoder.name, [float(v) if isinstance(v, int) else v for v in encoder.values], encoder.other)
    return encoder


def is_valid(encoder: Encoder) -> bool:
    """Whether the encoder's attributes have the right types and ranges."""
    if isinstance(encoder, Category):
        values = encoder.values
        kinds = {type(value) for value in values} - {type(None)} if isinstance(values, list) else {list}
        return isinstance(encoder.other, bool) and (kinds <= {str} or kinds <= {int, float})
    if isinstance(encoder, Date):
        return encoder.is_valid()
    numbers = (encoder.mean, encoder.std) if isinstance(encoder, Number) else (encoder.median, encoder.scale)
    if any(type(number) not in (int, float) or not math.isfinite(number) for number in numbers):
        return False
    positive = encoder.std > 0 if isinstance(encoder, Number) else encoder.scale >= 0
    return positive and isinstance(encoder.marked, bool)
