"""Reader of tables in CSV files."""

from __future__ import annotations

import codecs
import csv
import io
import math
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np

from cygrad._files import one_line, open_file
from cygrad._typing import Array
from cygrad.data.parsing import parse_number
from cygrad.data.tables.table import Table, reads

__all__ = ["MISSING", "read_csv"]

MISSING = ("", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "NULL", "null", "None")
DELIMITERS = ",;\t|"
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)


@reads(".csv", ".tsv")
def read_csv(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    missing: Iterable[str] = MISSING,
    text: Iterable[str] = (),
) -> Table:
    """Read a table from a CSV file whose first line contains the column names.

    Quoted fields may contain delimiters and line breaks. Empty lines are ignored, and whitespace around names and
    values is stripped. A column is numeric if all its values are numbers, apart from missing ones; ``inf`` is a number,
    ``1_000`` is not.

    Args:
        path: the file.
        delimiter: field separator; by default the one among comma, semicolon, tab and bar that splits the first line
            into most fields.
        encoding: encoding of the file; a UTF-8 byte order mark is skipped.
        decimal: decimal point.
        missing: texts that stand for a missing value.
        text: names of columns to read as text, whatever they contain.

    Returns:
        The table.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the file has no rows, is not in `encoding` or not valid CSV, a line has too few or too many
            fields, a name is empty or repeated, or numbers have a decimal comma but `decimal` is another character.
            The message names the file and the line.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "people.csv")
    >>> _ = path.write_text("height,city\\n1.8,Bern\\n,Oslo\\n")
    >>> cg.data.read_csv(path)
    Table(2 rows; height: numbers, city: text)
    """
    name = os.fspath(path)
    for option, value in ("delimiter", delimiter), ("decimal", decimal):
        if value is not None and (len(value) != 1 or value in '"\r\n'):
            raise ValueError(f"read_csv: {option} must be a single character, got {value!r}")
    content = read_text(name, encoding)
    names, rows = parse_fields(name, content, delimiter or detect_delimiter(content))
    missing_texts, text_columns = {value.strip() for value in missing}, set(text)
    columns = {}
    for column, fields in zip(names, zip(*rows, strict=True), strict=True):
        numbers = None if column in text_columns else parse_complete(fields, decimal, missing_texts)
        if numbers is None:
            values = [None if (stripped := field.strip()) in missing_texts else stripped for field in fields]
            numbers = text_column(values) if column in text_columns else infer_column(name, column, values, decimal)
        columns[column] = numbers
    return Table(columns)


def read_text(path: str, encoding: str) -> str:
    """The decoded content of a file."""
    try:
        codec = codecs.lookup("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding).name
        with io.TextIOWrapper(open_file("read_csv", path), encoding=codec, newline="") as file:
            content = file.read()
    except (LookupError, TypeError):
        raise ValueError(f"read_csv: unknown encoding {encoding!r}") from None
    except UnicodeError as error:
        where = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        with open_file("read_csv", path) as raw:
            mark = raw.read(2)
        other = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise ValueError(f"read_csv: {path} is not valid {encoding}{where}; try encoding={other!r}") from None
    if "\0" in content:
        raise ValueError(f"read_csv: {path} contains zero bytes, so it is not text in {encoding}")
    return content


def detect_delimiter(content: str) -> str:
    """The delimiter that splits the first non-blank line into most fields."""
    first = next((line for line in io.StringIO(content) if line.strip()), "")
    return max(DELIMITERS, key=lambda delimiter: count_fields(first, delimiter))


def count_fields(line: str, delimiter: str) -> int:
    """The number of fields of a line."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def parse_fields(path: str, content: str, delimiter: str) -> tuple[list[str], list[list[str]]]:
    """The column names, and the fields of each row."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    names: list[str] = []
    rows: list[list[str]] = []
    try:
        for fields in reader:
            if not fields:
                continue
            if not names:
                names = [field.strip() for field in fields]
                check_header(path, names)
            elif len(fields) != len(names):
                line = f"line {reader.line_num} of {path}"
                raise ValueError(f"read_csv: {line} must have {len(names)} fields, one per column, got {len(fields)}")
            else:
                rows.append(fields)
    except csv.Error as error:
        raise ValueError(f"read_csv: line {reader.line_num} of {path} is not valid CSV ({one_line(error)})") from None
    if not rows:
        raise ValueError(f"read_csv: {path} {'has column names but no rows' if names else 'is empty'}")
    return names, rows


def check_header(path: str, names: Sequence[str]) -> None:
    """Raise ValueError if the first line can't contain the column names."""
    if all(parse_number(column) is not None for column in names):
        raise ValueError(f"read_csv: the first line of {path} must contain column names, got numbers")
    seen: set[str] = set()
    for number, column in enumerate(names, 1):
        if not column:
            hint = "; for a file written by pandas, use to_csv(index=False)" if number == 1 else ""
            raise ValueError(f"read_csv: column {number} of {path} has no name{hint}")
        if column in seen:
            raise ValueError(f"read_csv: duplicate column {column!r} in {path}")
        seen.add(column)


def parse_complete(fields: Sequence[str], decimal: str, missing: Iterable[str]) -> Array | None:
    """A numeric column without missing values, parsed at once; None if the fields need a closer look."""
    sentinels = [number for value in missing if (number := parse_number(value)) is not None and not math.isnan(number)]
    if sentinels or decimal != "." or "_" in "".join(fields):
        return None
    try:
        return np.array(list(map(float, fields)))
    except ValueError:
        return None


def text_column(values: Sequence[str | None]) -> Array:
    """A text column."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


def infer_column(path: str, column: str, values: Sequence[str | None], decimal: str) -> Array:
    """A numeric column if all values that are not missing are numbers, else a text column."""
    numbers = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if value is None:
            continue
        number = parse_number(value if decimal == "." else value.replace(decimal, "."))
        if number is None:
            if decimal == "." and DECIMAL_COMMA.fullmatch(value):
                check_decimal_comma(path, column, values)
            return text_column(values)
        numbers[row] = number
    return numbers if any(value is not None for value in values) else text_column(values)


def check_decimal_comma(path: str, column: str, values: Sequence[str | None]) -> None:
    """Raise ValueError if all values would be numbers with a comma as decimal point."""
    known = [value for value in values if value is not None]
    if all(DECIMAL_COMMA.fullmatch(value) or parse_number(value) is not None for value in known):
        example = next(value for value in known if DECIMAL_COMMA.fullmatch(value))
        raise ValueError(
            f"read_csv: column {column!r} of {path} has numbers with a decimal comma, such as {example!r}; "
            "pass decimal=','"
        )
