"""Reader of tables in CSV files."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence

from cygrad._files import one_line
from cygrad._typing import Array
from cygrad.data.tables.content import Lines, read_text
from cygrad.data.tables.header import HEADERS, Record, lay_out
from cygrad.data.tables.inference import Inference
from cygrad.data.tables.table import TEXT_SUFFIXES, Table, reads, require_names

__all__ = ["MISSING", "read_csv"]

MISSING = ("", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "NULL", "null", "None")
DELIMITERS = ",;\t|"
BLANK = " "
BLANKS = re.compile(r'("(?:[^"]|"")*")|[ \t]+')
DELIMITER_LINE = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)  # as spreadsheets write it


@reads(*TEXT_SUFFIXES)
def read_csv(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    missing: Iterable[str] = MISSING,
    text: Iterable[str] = (),
    numbers: Iterable[str] = (),
    header: str | None = None,
    names: Sequence[str] | None = None,
    skip_rows: int = 0,
    comment: str | None = None,
    drop: Iterable[str] = (),
    columns: Iterable[str] | None = None,
) -> Table:
    """Read a table from a CSV file, by default with column names in the first line.

    Quoted fields may contain delimiters and line breaks. Empty lines are ignored, and whitespace around names and
    values is stripped. A column is numeric if all its values are numbers, apart from missing ones; ``inf`` is a number,
    ``1_000`` is not. Thousands may be separated, by a comma, point, space or apostrophe that three digits follow. A
    column of integers that float64 can't hold, above 2^53, is text. The texts true and false, in any case, are "True"
    and "False".

    A row index that pandas or R wrote is left out, and so are fields behind the last name that are empty in all lines.
    A line ``sep=;`` in front names the delimiter. The table's ``notes`` say what was decided.

    Args:
        path: the file; it may be compressed as ``.gz`` or ``.zip``, and "-" is standard input.
        delimiter: field separator; by default the one among comma, semicolon, tab and bar that splits the first line
            into most fields, or blanks if none does and they split all lines alike. " " stands for any number of
            blanks.
        encoding: encoding of the file; a byte order mark is skipped.
        decimal: decimal point. If it is a comma, a point can only separate thousands.
        missing: texts that stand for a missing value; empty ones always do.
        text: names of columns to read as text, whatever they contain.
        numbers: names of columns to read as numbers without their currency and percent signs: 12.5 for "$12.50", 22 for
            "22%".
        header: "first" if the first line contains the column names, "none" if it contains values; by default "first",
            or "none" if `names` are given that differ from it. Without names, columns are named "0", "1", ….
        names: column names, instead of those in the file.
        skip_rows: number of lines in front of the table.
        comment: character; lines that start with it are ignored.
        drop: names of columns to leave out, whatever they contain.
        columns: names of the columns to read, all by default; absent ones are ignored.

    Returns:
        The table.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the file has no rows, is not in `encoding` or not valid CSV, a line has too few or too many
            fields, a name is empty, repeated or by default a number, or all values of a column would be numbers with
            another decimal point. The message names the file and the line.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "people.csv")
    >>> _ = path.write_text("height,city,income\\n1.8,Bern,\\"12,500\\"\\n,Oslo,900\\n")
    >>> table = cg.data.read_csv(path, drop=["city"])
    >>> table, table["income"]
    (Table(2 rows; height: numbers, income: numbers), array([12500.,   900.]))
    """
    name = os.fspath(path)
    check_options(delimiter, decimal, comment, header, skip_rows)
    content = read_text("read_csv", name, encoding)
    records, notes = parse_records(name, content, delimiter, skip_rows, comment)
    layout = lay_out(name, records, header, names)
    left_out, as_text, as_numbers = set(drop), set(text), set(numbers)
    require_names(layout.names, left_out)
    wanted = set(layout.names if columns is None else columns) - left_out
    inference = Inference(name, decimal, missing)
    values: dict[str, Array] = {}
    for column, fields in zip(layout.names, zip(*layout.rows, strict=False), strict=False):
        if column not in wanted:
            continue
        if column in as_numbers:
            values[column] = inference.amounts(column, fields)
        else:
            values[column] = inference.text(fields) if column in as_text else inference.infer(column, fields)
    return Table.of_columns(values, len(layout.rows), [*notes, *layout.notes, *inference.notes])


def check_options(delimiter: str | None, decimal: str, comment: str | None, header: str | None, skip_rows: int) -> None:
    """Raise ValueError if an option of ``read_csv`` is out of range."""
    for option, value in ("delimiter", delimiter), ("decimal", decimal), ("comment", comment):
        if value is not None and (len(value) != 1 or value in '"\r\n'):
            raise ValueError(f"read_csv: {option} must be a single character, got {value!r}")
    if header not in (None, *HEADERS):
        raise ValueError(f"read_csv: header must be {' or '.join(HEADERS)}, got {header!r}")
    if skip_rows < 0:
        raise ValueError(f"read_csv: skip_rows must not be negative, got {skip_rows}")


# Records


def parse_records(
    path: str, content: str, delimiter: str | None, skip_rows: int, comment: str | None
) -> tuple[list[Record], list[str]]:
    """The records of a text, those of the names and of the rows, and what to tell about the delimiter."""
    notes: list[str] = []
    lines = Lines(content, skip_rows, comment)
    first = first_line(lines)
    if found := DELIMITER_LINE.fullmatch(first):
        delimiter, skip_rows = delimiter or found[1], lines.number
    elif delimiter is None:
        delimiter = detect_delimiter(first, Lines(content, skip_rows, comment))
        if delimiter == BLANK:
            notes.append(f"the fields of {path} are separated by blanks; pass delimiter=',' if it has one column")
    lines = Lines(content, skip_rows, comment)
    source = map(tabs_for_blanks, lines) if delimiter == BLANK else lines
    reader = csv.reader(source, delimiter="\t" if delimiter == BLANK else delimiter, strict=True)
    records: list[Record] = []
    try:
        for fields in records_of(reader, lines):
            if fields:
                records.append(Record(lines.number, fields))
    except csv.Error as error:
        raise ValueError(f"read_csv: line {lines.number} of {path} is not valid CSV ({one_line(error)})") from None
    return records, notes


def records_of(reader: Iterator[list[str]], lines: Lines) -> Iterator[list[str]]:
    """The records of a reader, which may skip comments between them."""
    while True:
        lines.between = True
        fields = next(reader, None)
        if fields is None:
            return
        yield fields


def first_line(lines: Lines) -> str:
    """The first line that is not blank."""
    for line in lines:
        lines.between = True
        if line.strip():
            return line
    return ""


def detect_delimiter(first: str, lines: Lines) -> str:
    """The delimiter that splits the first line into most fields; blanks if none does and they split all lines alike."""
    best = max(DELIMITERS, key=lambda delimiter: count_fields(first, delimiter))
    return BLANK if count_fields(first, best) == 1 and split_by_blanks(first, lines) else best


def split_by_blanks(first: str, lines: Lines) -> bool:
    """Whether blanks split all lines into as many fields as the first, at least two, or into one more each."""
    width = count_fields(tabs_for_blanks(first), "\t")
    if width < 2:
        return False
    widths = set()
    for line in lines:
        lines.between = True
        if line.strip() and line != first:
            widths.add(count_fields(tabs_for_blanks(line), "\t"))
            if len(widths) > 1 or not widths <= {width, width + 1}:
                return False
    return bool(widths)


def tabs_for_blanks(line: str) -> str:
    """A line with a tab for all blanks between two fields."""
    return BLANKS.sub(lambda found: found[1] or "\t", line.strip())


def count_fields(line: str, delimiter: str) -> int:
    """The number of fields of a line."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0
