"""Columns of a table: values converted to float64 or to text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.parsing import parse_number

__all__ = [
    "BOOLEANS",
    "LARGEST_EXACT",
    "as_column",
    "as_number",
    "format_number",
    "is_pandas_missing",
    "normal_booleans",
    "text_column",
    "to_numbers",
]

BOOLEANS = {"true": "True", "false": "False"}
TRUTH = {"true": 1.0, "false": 0.0}
LARGEST_EXACT = 2**53  # float64 holds every integer up to here


def as_column(name: str, values: Any) -> Array:
    """Convert values to a column: float64 with NaN, or objects, str and None. Masked elements are missing."""
    array = np.asarray(values)
    if isinstance(values, np.ma.MaskedArray):
        array = array.astype(object)
        array[np.ma.getmaskarray(values)] = None
    if array.ndim != 1:
        raise ValueError(f"Table: column {name!r} must be 1-dimensional, got shape {array.shape}")
    if array.dtype.kind in "fiu":
        return from_integers(array) if array.dtype.kind != "f" else array.astype(np.float64)
    if array.dtype.kind in "Mm":
        return from_times(array)
    if array.dtype.kind not in "ObUT":
        raise TypeError(f"Table: column {name!r} must contain numbers or text, got {array.dtype}")
    return column_from_values([to_value(name, value) for value in array.tolist()])


def from_integers(array: Array) -> Array:
    """A numeric column, or a text column if float64 can't hold an integer."""
    numbers = array.astype(np.float64)
    if array.itemsize < 8 or not (np.abs(numbers) >= LARGEST_EXACT).any():
        return numbers
    integers = array.tolist()
    if all(int(number) == integer for number, integer in zip(numbers.tolist(), integers, strict=True)):
        return numbers
    return text_column([str(integer) for integer in integers])


def column_from_values(values: list[float | str | None]) -> Array:
    """A numeric column if all values that are not missing are numbers, else a text column."""
    known = [value for value in values if value is not None]
    if known and not any(isinstance(value, str) for value in known):
        return np.array([math.nan if value is None else value for value in values], np.float64)
    texts = [value if value is None or isinstance(value, str) else format_number(value) for value in values]
    return text_column(normal_booleans(texts))


def text_column(values: Sequence[str | None]) -> Array:
    """A text column."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


def normal_booleans(values: Sequence[str | None]) -> Sequence[str | None]:
    """The values; if all are the texts true and false, in any case, or missing, in the form "True" and "False"."""
    if all(value is None or value.lower() in BOOLEANS for value in values):
        return [None if value is None else BOOLEANS[value.lower()] for value in values]
    return values


def to_value(name: str, value: Any) -> float | str | None:
    """A value as a number, as text, or as None if it is missing."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or is_pandas_missing(value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if hasattr(value, "isoformat"):  # dates and times
        return str(value.isoformat())
    try:
        number = float(value) if not isinstance(value, (bytes, bytearray)) else None
    except OverflowError:
        raise ValueError(f"Table: column {name!r} contains an integer too large for float64") from None
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise TypeError(f"Table: column {name!r} must contain numbers or text, got a {type(value).__name__}")
    if isinstance(value, int) and abs(value) > LARGEST_EXACT and int(number) != value:
        return str(value)
    return None if math.isnan(number) else number


def is_pandas_missing(value: Any) -> bool:
    """Whether a value is pandas' NA or NaT, told by its class: pandas need not be installed."""
    return type(value).__name__ in ("NAType", "NaTType")


def from_times(array: Array) -> Array:
    """Dates and times as text in ISO 8601, without the time of day if all are midnight; time spans as seconds."""
    missing = np.isnat(array)
    if array.dtype.kind == "m":
        return np.where(missing, np.nan, array.astype("timedelta64[us]").astype(np.int64) / 1e6)
    micros: Any = array.astype("datetime64[us]")
    stamps = micros[~missing].astype(np.int64)
    units: Any = (("D", 86_400_000_000), ("s", 1_000_000), ("us", 1))
    unit: Any = next(unit for unit, size in units if not (stamps % size).any())
    texts = np.datetime_as_string(micros, unit=unit).astype(object)
    texts[missing] = None
    return texts


def format_number(number: float) -> str:
    """A number as text: "3" for 3.0."""
    return str(int(number)) if math.isfinite(number) and number == int(number) else repr(number)


def as_number(value: float | str | None) -> float | None:
    """The number that a value of a column represents, 1 and 0 for truth values, or None."""
    if not isinstance(value, str):
        return value
    number = parse_number(value)
    return TRUTH.get(value.lower()) if number is None else number


def to_numbers(column: Array) -> Array:
    """A column as float64 (n,), text parsed as numbers; NaN for other text and missing values."""
    if column.dtype != object:
        return column
    known = {value: as_number(value) for value in set(column.tolist())}
    return np.array([known[value] for value in column.tolist()], np.float64)
