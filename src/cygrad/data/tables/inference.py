"""Columns from the fields of a text file: numbers, truth values or text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from cygrad._typing import Array
from cygrad.data.parsing import parse_number
from cygrad.data.tables.column import LARGEST_EXACT, normal_booleans, text_column
from cygrad.data.tables.numerals import exact_integer, is_grouped, parse_amount, parse_numeral

__all__ = ["Inference"]

POINTS = {".": ",", ",": "."}  # the decimal point that another country has


class Inference:
    """What the fields of columns mean.

    Args:
        path: of the file, for messages.
        decimal: decimal point.
        missing: texts that stand for a missing value.
    """

    def __init__(self, path: str, decimal: str, missing: Iterable[str]) -> None:
        self.path = path
        self.decimal = decimal
        self.missing = {"", *(text.strip() for text in missing)}
        self.notes: list[str] = []
        self._marked = any(number == number for text in self.missing if (number := parse_number(text)) is not None)

    def text(self, fields: Sequence[str]) -> Array:
        """A text column."""
        return text_column(self._known(fields))

    def infer(self, name: str, fields: Sequence[str]) -> Array:
        """A numeric column if all values that are not missing are numbers, else a text column.

        Raises:
            ValueError: if all values would be numbers with another decimal point.
        """
        numbers = self._complete(fields)
        if numbers is not None and not (np.abs(numbers) >= LARGEST_EXACT).any():
            return numbers
        values = self._known(fields)
        numbers, other = self._numbers(values)
        if numbers is None:
            return self._text(name, values, other)
        if all(value is None for value in values):
            return text_column(values)
        if (rounded := self._rounded(numbers, values)) is not None:
            self.notes.append(
                f"column {name!r} of {self.path} has integers above 2^53, such as {rounded}, and is read as text; "
                "list it in numbers to round them"
            )
            return text_column(values)
        self._note_thousands(name, numbers, values)
        return numbers

    def amounts(self, name: str, fields: Sequence[str]) -> Array:
        """A numeric column of amounts without their currency and percent signs.

        Raises:
            ValueError: if a value is not an amount; the message names the row.
        """
        numbers = np.full(len(fields), np.nan)
        for row, value in enumerate(self._known(fields)):
            number = None if value is None else parse_amount(value, self.decimal)
            if value is not None and number is None:
                raise ValueError(
                    f"read_csv: column {name!r} of {self.path} contains {value[:40]!r} in row {row + 1}, expected a "
                    "number, since it is listed in numbers"
                )
            numbers[row] = math.nan if number is None else number
        return numbers

    def _known(self, fields: Sequence[str]) -> list[str | None]:
        """The fields, without whitespace around them; None where a value is missing."""
        missing = self.missing
        return [None if (stripped := field.strip()) in missing else stripped for field in fields]

    def _complete(self, fields: Sequence[str]) -> Array | None:
        """A numeric column without missing values, parsed at once; None if the fields need a closer look."""
        if self._marked or self.decimal != "." or "_" in "".join(fields):
            return None
        try:
            return np.array(list(map(float, fields)))
        except ValueError:
            return None

    def _numbers(self, values: Sequence[str | None]) -> tuple[Array | None, str]:
        """The values as numbers; or None, and the first value that is not a number."""
        numbers = np.full(len(values), np.nan)
        for row, value in enumerate(values):
            if value is None:
                continue
            number = parse_numeral(value, self.decimal)
            if number is None:
                return None, value
            numbers[row] = number
        return numbers, ""

    def _rounded(self, numbers: Array, values: Sequence[str | None]) -> str | None:
        """The first integer that float64 can't hold, or None."""
        for row in np.flatnonzero(np.abs(numbers) >= LARGEST_EXACT).tolist():
            value = values[row]
            exact = None if value is None else exact_integer(value, self.decimal)
            if exact is not None and (math.isinf(numbers[row]) or exact != int(numbers[row])):
                return value
        return None

    def _note_thousands(self, name: str, numbers: Array, values: Sequence[str | None]) -> None:
        """Tell that separators of thousands were read, and the other reading if there is one."""
        row = next((i for i, v in enumerate(values) if v is not None and is_grouped(v, self.decimal)), None)
        if row is None:
            return
        other, text = POINTS.get(self.decimal, ""), str(values[row])
        known = [value for value in values if value is not None]
        note = f"column {name!r} of {self.path}: {text!r} is read as {numbers[row]:.15g}"
        if other in text and all(parse_numeral(value, other) is not None for value in known):
            note += f"; pass decimal={other!r} if it means {parse_numeral(text, other):.15g}"
        self.notes.append(note)

    def _text(self, name: str, values: Sequence[str | None], other: str) -> Array:
        """A text column, after a look at what else the values may mean. `other` is the first that is not a number."""
        point = POINTS.get(self.decimal, "")
        known = [value for value in values if value is not None]
        if point and point in other and all(parse_numeral(value, point) is not None for value in known):
            kind = "comma" if point == "," else "point"
            raise ValueError(
                f"read_csv: column {name!r} of {self.path} has numbers with a decimal {kind}, such as {other!r}; "
                f"pass decimal={point!r}, or list the column in text or drop"
            )
        if parse_amount(other, self.decimal) is not None and all(
            parse_amount(value, self.decimal) is not None for value in known
        ):
            self.notes.append(
                f"column {name!r} of {self.path} has amounts such as {other!r} and is read as text; list it in "
                f"numbers to read {parse_amount(other, self.decimal):.15g}"
            )
        return text_column(normal_booleans(values))
