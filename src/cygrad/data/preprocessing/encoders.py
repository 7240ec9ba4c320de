"""Encoders: what becomes of one column."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.tables.column import number_of, numbers_of, text_of

__all__ = ["Category", "Encoder", "Number", "described", "encoder_of"]

Value = float | str | None
MOST_SHOWN = 6


@dataclass(frozen=True)
class Number:
    """(x − mean)/std, (N, 1); where values were missing in the training part, (N, 2): there the mean stands for one
    that is missing, so 0, and the second number is 1.

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
        """The names of the numbers that it gives."""
        return [self.name, *([f"{self.name} is missing"] if self.marked else [])]

    def unknown(self, column: Array) -> Array:
        """Where a column has what training had not: lacks a value, where that lacked none. (N,) of booleans."""
        return np.isnan(numbers_of(self.name, column)) & (not self.marked)

    def encode(self, column: Array, unseen: str = "raise") -> Array:
        """The numbers of a column (N,), as float32. Raises ValueError, naming the row, for a text, an infinity, or,
        unless `unseen` is "ignore", a missing value where training lacked none."""
        numbers = numbers_of(self.name, column)
        if np.isinf(numbers).any():
            row = int(np.argmax(np.isinf(numbers)))
            raise ValueError(f"column {self.name!r} holds {numbers[row]} in row {row + 1}")
        if unseen == "raise" and (unknown := self.unknown(column)).any():
            row = int(np.argmax(unknown))
            raise ValueError(f"column {self.name!r} lacks a value in row {row + 1}, and lacked none in training")
        missing = np.isnan(numbers)
        with np.errstate(over="ignore"):
            scaled = np.where(missing, 0.0, (numbers - self.mean) / self.std).astype(np.float32)
        if not np.isfinite(scaled).all():
            row = int(np.argmin(np.isfinite(scaled)))
            raise ValueError(f"column {self.name!r} holds {numbers[row]} in row {row + 1}, too far from the mean")
        parts = [scaled, missing.astype(np.float32)] if self.marked else [scaled]
        return np.stack(parts, 1)


@dataclass(frozen=True)
class Category:
    """One number for each of the values, 1 where it is the column's, (N, values). The values are all numbers or all
    text; with them may be None, for a value that is missing.

    >>> from cygrad.data.preprocessing import Category
    >>> Category("city", ["Bern", "Oslo"]).encode(np.array(["Oslo", "Bern"], object))
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """

    name: str
    values: list[Value] = field(default_factory=list)

    @property
    def features(self) -> list[str]:
        """The names of the numbers that it gives."""
        return [f"{self.name} is {shown(value)}" for value in self.values]

    @property
    def of_text(self) -> bool:
        """Whether its values are text."""
        return any(isinstance(value, str) for value in self.values)

    def unknown(self, column: Array) -> Array:
        """Where a column has what training had not: another value. (N,) of booleans."""
        return self.codes(column, "ignore") < 0

    def codes(self, column: Array, unseen: str = "raise") -> Array:
        """The place of each value of a column among the values; −1 for another one, if `unseen` is "ignore". Raises
        ValueError, naming the row, for one if it is "raise"."""
        places = {value: place for place, value in enumerate(self.values)}
        codes = np.array([places.get(value, -1) for value in self.read(column)], np.int64)
        if unseen == "raise" and (codes < 0).any():
            row = int(np.argmax(codes < 0))
            known = ", ".join(map(shown, self.values[:MOST_SHOWN])) + (", …" if len(self.values) > MOST_SHOWN else "")
            what = "lacks a value" if is_missing(column[row]) else f"holds {shown(column[row])[:60]}"
            raise ValueError(f"column {self.name!r} {what} in row {row + 1}, where training had {known}")
        return codes

    def read(self, column: Array) -> list[Value]:
        """The values of a column, as numbers or as text, as its own are."""
        values = [None if is_missing(value) else value for value in column.tolist()]
        if self.of_text:
            return [text_of(value) if isinstance(value, float) else value for value in values]
        return [number_of(value) if isinstance(value, str) else value for value in values]

    def encode(self, column: Array, unseen: str = "raise") -> Array:
        """The numbers of a column (N,), as float32; all 0 for a value that is none of its own."""
        return (self.codes(column, unseen)[:, None] == np.arange(len(self.values))).astype(np.float32)


Encoder = Number | Category


def is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def shown(value: Value) -> str:
    """A value in a sentence."""
    if value is None:
        return "a missing value"
    return text_of(value) if isinstance(value, float) else repr(value)


def described(encoder: Encoder) -> dict[str, Any]:
    """An encoder as plain values."""
    return {"kind": "number" if isinstance(encoder, Number) else "category", **asdict(encoder)}


def encoder_of(description: Any) -> Encoder:
    """The encoder that plain values describe. Raises ValueError where they describe none."""
    options = dict(description) if isinstance(description, dict) else {}
    kind = options.pop("kind", None)
    try:
        encoder = {"number": Number, "category": Category}[kind](**options)
    except (KeyError, TypeError):
        raise ValueError(f"there is no encoder {str(description)[:100]}") from None
    if not isinstance(encoder.name, str) or not is_sound(encoder):
        raise ValueError(f"the encoder of column {str(encoder.name)[:40]!r} has values that are none")
    if isinstance(encoder, Category):
        return Category(encoder.name, [float(v) if isinstance(v, int) else v for v in encoder.values])
    return encoder


def is_sound(encoder: Encoder) -> bool:
    """Whether the options are of the right types."""
    if isinstance(encoder, Category):
        values = encoder.values
        kinds = {type(value) for value in values} - {type(None)} if isinstance(values, list) else {list}
        return kinds <= {str} or kinds <= {int, float}
    numbers = encoder.mean, encoder.std
    if any(type(number) not in (int, float) or not math.isfinite(number) for number in numbers):
        return False
    return encoder.std > 0 and isinstance(encoder.marked, bool)
