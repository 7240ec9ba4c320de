"""Columns: any values as float64, or as text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad.data.matrix import number_of

__all__ = ["as_column", "number_of", "numbers_of", "text_of"]


def as_column(name: str, values: Any) -> Array:
    """Values as a column of a table: float64 with NaN, or objects, str and None."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"Table: column {name!r} must have one dimension, got shape {array.shape}")
    if array.dtype.kind in "fiu":
        return array.astype(np.float64)
    if array.dtype.kind in "Mm":
        return seconds(array)
    if array.dtype.kind not in "ObUT":
        raise TypeError(f"Table: column {name!r} holds {array.dtype}, which is neither numbers nor text")
    return of_objects([plain(name, value) for value in array.tolist()])


def of_objects(values: list[float | str | None]) -> Array:
    """Numbers if all that is there are numbers, else text."""
    there = [value for value in values if value is not None]
    if there and not any(isinstance(value, str) for value in there):
        return np.array([math.nan if value is None else value for value in values], np.float64)
    column = np.empty(len(values), object)
    column[:] = [value if value is None or isinstance(value, str) else text_of(value) for value in values]
    return column


def plain(name: str, value: Any) -> float | str | None:
    """A value as a number, as text, or as missing."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # pandas' signs for a missing value
        return None
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if hasattr(value, "isoformat"):  # dates and times
        return str(value.isoformat())
    try:
        number = float(value) if not isinstance(value, (bytes, bytearray)) else None
    except OverflowError:
        raise ValueError(f"Table: column {name!r} holds an integer that is too large") from None
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise TypeError(f"Table: column {name!r} holds a {type(value).__name__}, which is neither a number nor text")
    return None if math.isnan(number) else number


def seconds(array: Array) -> Array:
    """Dates, times and spans in seconds, since 1970 or altogether."""
    kind = "datetime64[us]" if array.dtype.kind == "M" else "timedelta64[us]"
    micros = array.astype(kind)
    return np.where(np.isnat(micros), np.nan, micros.astype(np.int64) / 1e6)


def text_of(number: float) -> str:
    """A number as text: 3 for 3.0."""
    return str(int(number)) if math.isfinite(number) and number == int(number) else repr(number)


def numbers_of(name: str, column: Array) -> Array:
    """A column as numbers (n,) of float64, text as the numbers that it tells. Raises ValueError, naming the column
    and the row, for a text that is no number."""
    if column.dtype != object:
        return column
    numbers = np.full(len(column), np.nan)
    for i, text in enumerate(column):
        if text is None:
            continue
        number = number_of(text)
        if number is None:
            raise ValueError(f"column {name!r} holds {text[:40]!r} in row {i + 1}, which is no number")
        numbers[i] = number
    return numbers
