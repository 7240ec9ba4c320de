"""CSV: tables in text."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np

from cygrad._typing import Array
from cygrad.data.tables.column import number_of
from cygrad.data.tables.table import Table

__all__ = ["MISSING", "read_csv"]

MISSING = ("", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "NULL", "null", "None")
DELIMITERS = ",;\t|"
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)


def read_csv(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    missing: Iterable[str] = MISSING,
    text: Iterable[str] = (),
) -> Table:
    """The table in a CSV file, whose first line holds the columns' names. What stands in quotes may hold delimiters
    and line ends; empty lines do not count; space around a name or a value is cut off.

    A column is one of numbers where all its values are, apart from those that are `missing`; ``inf`` is a number,
    ``1_000`` is none. Else, or where its name is in `text`, it is one of text.

    Args:
        delimiter: what separates values, of the comma, the semicolon, the tab and the bar the one that the first line
            has most of, unless given.
        encoding: of the bytes; a mark of UTF-8 at the beginning is passed over.
        decimal: the decimal point.
        missing: what stands for a missing value.
        text: names of columns that stay text, whatever they hold.

    Raises ValueError, naming the file and the line, where it is empty or has names only, bytes are not of the
    encoding, quotes are not closed, a line has more or fewer values than there are names, a name is empty or stands
    twice, or numbers have a decimal comma that `decimal` does not tell.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "people.csv")
    >>> _ = path.write_text("height,city\\n1.8,Bern\\n,Oslo\\n")
    >>> cg.data.read_csv(path)
    Table(2 rows; height: numbers, city: text)
    """
    name = os.fspath(path)
    for option, value in ("delimiter", delimiter), ("decimal", decimal):
        if value is not None and (len(value) != 1 or value in '"\r\n'):
            raise ValueError(f"read_csv: the {option} must be one character, got {value!r}")
    content = decoded(name, encoding)
    names, rows = parsed(name, content, delimiter or likely_delimiter(content))
    absent, kept = {value.strip() for value in missing}, set(text)
    columns = {}
    for column, fields in zip(names, zip(*rows, strict=True), strict=True):
        numbers = None if column in kept else all_numbers(fields, decimal, absent)
        if numbers is None:
            values = [None if (stripped := field.strip()) in absent else stripped for field in fields]
            numbers = texts(values) if column in kept else typed(name, column, values, decimal)
        columns[column] = numbers
    return Table(columns)


def decoded(name: str, encoding: str) -> str:
    """The text of a file."""
    try:
        with open(name, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
            content = file.read()
    except LookupError:
        raise ValueError(f"read_csv: there is no encoding {encoding!r}") from None
    except UnicodeError as error:
        place = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        with open(name, "rb") as raw:
            mark = raw.read(2)
        other = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise ValueError(f"read_csv: {name} is not {encoding}{place}; it may be encoding={other!r}") from None
    if "\0" in content:
        raise ValueError(f"read_csv: {name} holds zero bytes, so it is no text in {encoding}")
    return content


def likely_delimiter(content: str) -> str:
    """The delimiter that the first line with something in it has most of."""
    first = next((line for line in io.StringIO(content) if line.strip()), "")
    return max(DELIMITERS, key=lambda delimiter: fields_in(first, delimiter))


def fields_in(line: str, delimiter: str) -> int:
    """How many fields a line has."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def parsed(name: str, content: str, delimiter: str) -> tuple[list[str], list[list[str]]]:
    """The names, and the rows as they stand there."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    rows: list[list[str]] = []
    try:
        for fields in reader:
            if not fields:
                continue
            if not names:
                names = [field.strip() for field in fields]
                check_names(name, names)
            elif len(fields) != len(names):
                got = f"line {reader.line_num} of {name} has {len(fields)} values"
                raise ValueError(f"read_csv: {got}, but there are {len(names)} names")
            else:
                rows.append(fields)
    except csv.Error as error:
        raise ValueError(f"read_csv: line {reader.line_num} of {name} is no CSV ({error})") from None
    if not rows:
        raise ValueError(f"read_csv: {name} {'has names, but no rows' if names else 'is empty'}")
    return names, rows


def check_names(name: str, names: Sequence[str]) -> None:
    """Raises ValueError where the first line can't be that of the columns' names."""
    if all(number_of(column) is not None for column in names):
        raise ValueError(f"read_csv: the first line of {name} holds numbers, where the columns' names are wanted")
    seen: set[str] = set()
    for number, column in enumerate(names, 1):
        if not column:
            hint = "; pandas writes such a column unless told index=False" if number == 1 else ""
            raise ValueError(f"read_csv: column {number} of {name} has no name{hint}")
        if column in seen:
            raise ValueError(f"read_csv: the column {column!r} stands twice in {name}")
        seen.add(column)


def all_numbers(fields: Sequence[str], decimal: str, absent: Iterable[str]) -> Array | None:
    """A column of numbers of which none is missing, in one go; None for others."""
    signs = [number for value in absent if (number := number_of(value)) is not None and not math.isnan(number)]
    if signs or decimal != "." or "_" in "".join(fields):
        return None
    try:
        return np.array(list(map(float, fields)))
    except ValueError:
        return None


def texts(values: Sequence[str | None]) -> Array:
    """A column of text."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


def typed(name: str, column: str, values: Sequence[str | None], decimal: str) -> Array:
    """A column of numbers where all values that are there are numbers, else one of text."""
    numbers = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if value is None:
            continue
        number = number_of(value if decimal == "." else value.replace(decimal, "."))
        if number is None:
            if decimal == "." and DECIMAL_COMMA.fullmatch(value):
                demand_no_commas(name, column, values)
            return texts(values)
        numbers[row] = number
    return numbers if any(value is not None for value in values) else texts(values)


def demand_no_commas(name: str, column: str, values: Sequence[str | None]) -> None:
    """Raises ValueError where all values would be numbers, if the comma were their decimal point."""
    there = [value for value in values if value is not None]
    if all(DECIMAL_COMMA.fullmatch(value) or number_of(value) is not None for value in there):
        comma = next(value for value in there if DECIMAL_COMMA.fullmatch(value))
        raise ValueError(
            f"read_csv: column {column!r} of {name} has numbers with a decimal comma, such as {comma!r}; "
            "decimal=',' reads them"
        )
