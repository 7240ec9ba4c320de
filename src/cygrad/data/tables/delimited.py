"""Reader of tables in CSV files."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from cygrad._files import one_line
from cygrad._typing import Array
from cygrad.data.tables.content import Lines, read_text, text_blocks
from cygrad.data.tables.header import HEADERS, Record, are_plain, header_of, lay_out
from cygrad.data.tables.inference import Inference
from cygrad.data.tables.plain import LARGE, read_columns
from cygrad.data.tables.table import TEXT_SUFFIXES, Table, reads, require_names

__all__ = ["BLOCK", "MISSING", "read_csv", "read_csv_blocks"]

MISSING = (
    *("", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "NULL", "null", "None", "NaT", "\\N"),  # databases, pandas, R
    *("#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!"),  # spreadsheets
    *("#NV", "#WERT!", "#BEZUG!", "#ZAHL!", "#VALEUR!", "#NOM?", "#NOMBRE!"),  # in German and French
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),  # Windows' C library
)
DELIMITERS = ",;\t|"
BLANK = " "
BLOCK = 2**23  # characters
HEAD = 2**16  # characters in which to look for names
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
        path: the file; it may be compressed as ``.gz``, ``.zip`` or ``.zst``, and "-" is standard input.
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
    name, drop, columns = os.fspath(path), set(drop), None if columns is None else set(columns)
    check_options(delimiter, decimal, comment, header, skip_rows)
    form = Form(name, delimiter, comment, header, names, skip_rows)
    inference = Inference(name, decimal, missing)
    roles = Roles(set(text), set(numbers), drop, columns)
    return table_of(form, read_text("read_csv", name, encoding), inference, roles)


def read_csv_blocks(
    path: str | os.PathLike[str],
    *,
    size: int = BLOCK,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    missing: Iterable[str] = MISSING,
    text: Container[str] = (),
    numbers: Iterable[str] = (),
    header: str | None = None,
    names: Sequence[str] | None = None,
    skip_rows: int = 0,
    comment: str | None = None,
    columns: Iterable[str] | None = None,
) -> Iterator[Callable[[], Table]]:
    """Read a table as ``read_csv`` does, in blocks of rows, so that the file may be larger than memory. What a column
    contains is told for each block.

    Args:
        path: the file.
        size: characters of a block, about.
        delimiter, encoding, decimal, missing, text, numbers, header, names, skip_rows, comment, columns: see
            ``read_csv``.

    Returns:
        For each block, in the order of the rows, a function that parses it; threads may do that at the same time.
    """
    name, missing, columns = os.fspath(path), list(missing), None if columns is None else set(columns)
    check_options(delimiter, decimal, comment, header, skip_rows)
    form = Form(name, delimiter, comment, header, names, skip_rows)
    roles, head, before = Roles(text, set(numbers), set(), columns), "", 0
    for number, block in enumerate(text_blocks("read_csv", name, encoding, size)):
        if number and not block.strip():
            continue
        yield partial(table_of, form, head + block, Inference(name, decimal, missing), roles)
        if not number:
            head, form = form.of_rest(block)
        before += block.count("\n")
        form = form._replace(gap=(head.count("\n"), before - head.count("\n")))


class Form(NamedTuple):
    """How a text is laid out; see the options of ``read_csv`` and the gap of ``Lines``."""

    path: str
    delimiter: str | None
    comment: str | None
    header: str | None
    names: Sequence[str] | None
    skip_rows: int
    gap: tuple[int, int] = (0, 0)

    def lines(self, content: str) -> Lines:
        """The lines of a text behind those that are skipped."""
        return Lines(content, self.skip_rows, self.comment, self.gap)

    def of_rest(self, block: str) -> tuple[str, Form]:
        """What stands in front of the rows in the first block of a file, and the form of each further block behind
        it."""
        lines = self.lines(block)
        line = first_line(lines)
        if DELIMITER_LINE.fullmatch(line):
            form, line = self, first_line(lines)
        else:
            form = self._replace(delimiter=self.delimiter or detect_delimiter(line, self.lines(block)))
        start = lines.position - len(line)
        first, _ = parse_records(form, block[: start + complete_record(block[start:])])
        if (self.header or header_of([field.strip() for field in first[0].fields], self.names)) == "first":
            return block[: start + complete_record(block[start:])], form
        return "", form._replace(header="none", skip_rows=0)


class Roles(NamedTuple):
    """Names of the columns that are text, numbers in spite of signs, left out, and read; see ``read_csv``."""

    text: Container[str]
    numbers: set[str]
    drop: set[str]
    columns: set[str] | None

    def wanted(self, names: Sequence[str]) -> list[str]:
        """The names of the columns to read."""
        require_names(names, self.drop)
        return [n for n in names if n not in self.drop and (self.columns is None or n in self.columns)]


def table_of(form: Form, content: str, inference: Inference, roles: Roles) -> Table:
    """The table in a text."""
    if (found := plain_columns(form, content, inference, roles)) is not None:
        names, columns, rows = found
        notes: list[str] = []
    else:
        records, notes = parse_records(form, content)
        layout = lay_out(form.path, records, form.header, form.names)
        names, columns, rows = layout.names, zip(*layout.rows, strict=False), len(layout.rows)
        notes += layout.notes
    wanted = set(roles.wanted(names))
    values: dict[str, Array] = {}
    for column, fields in zip(names, columns, strict=False):
        if column not in wanted:
            continue
        if isinstance(fields, np.ndarray):
            values[column] = fields
        elif column in roles.numbers:
            values[column] = inference.amounts(column, fields)
        else:
            values[column] = inference.text(fields) if column in roles.text else inference.infer(column, fields)
    return Table.of_columns(values, rows, [*notes, *inference.notes])


def plain_columns(
    form: Form, content: str, inference: Inference, roles: Roles
) -> tuple[list[str], Iterable[Any], int] | None:
    """The names, columns and number of rows of a text that is large and has nothing but a line of names and lines of
    fields; None for any other, and one that the readers in C leave to ``csv``. A column is an array, or its fields."""
    if len(content) < LARGE or form.comment or form.header == "none" or inference.decimal != ".":
        return None
    head = content[:HEAD]
    lines = form.lines(head)
    first = first_line(lines)
    if DELIMITER_LINE.fullmatch(first) or not first.endswith("\n"):
        return None
    delimiter = form.delimiter or detect_delimiter(first, form.lines(head))
    fields = [field.strip() for field in next(csv.reader([first], delimiter=delimiter), [])] if '"' not in first else []
    if delimiter == BLANK or not are_plain(fields) or header_of(fields, form.names) != "first":
        return None
    as_text = [i for i, name in enumerate(fields) if name in roles.text or name in roles.numbers]
    columns = read_columns(content[lines.position :], len(fields), delimiter, inference.missing, as_text)
    return None if columns is None else (fields, columns, len(columns[0]))


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


def parse_records(form: Form, content: str) -> tuple[list[Record], list[str]]:
    """The records of a text, those of the names and of the rows, and what to tell about the delimiter."""
    notes: list[str] = []
    path, delimiter, lines = form.path, form.delimiter, form.lines(content)
    first = first_line(lines)
    if found := DELIMITER_LINE.fullmatch(first):
        delimiter, form = delimiter or found[1], form._replace(skip_rows=lines.number)
    elif delimiter is None:
        delimiter = detect_delimiter(first, form.lines(content))
        if delimiter == BLANK:
            notes.append(f"the fields of {path} are separated by blanks; pass delimiter=',' if it has one column")
    lines = form.lines(content)
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


def complete_record(text: str) -> int:
    """The number of characters up to the first line break that an even number of quotes precedes."""
    end = text.find("\n") + 1
    while end and text.count('"', 0, end) % 2:
        end = text.find("\n", end) + 1
    return end or len(text)


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
