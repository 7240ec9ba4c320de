"""The header of a CSV file: names of columns, in the first line or given, and fields that belong to none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from cygrad.data.parsing import parse_number
from cygrad.data.tables.index import index_names, index_note

__all__ = ["HEADERS", "Layout", "Record", "are_plain", "header_of", "lay_out"]

HEADERS = ("first", "none")
COMMENTS = ("#", "%", "//", ";")  # what comments start with in other programs' files


class Record(NamedTuple):
    """The fields of a record, and the number of its last line."""

    line: int
    fields: list[str]


class Layout(NamedTuple):
    """The names of columns, the fields of each row, which may be longer, and what to tell about columns left out."""

    names: list[str]
    rows: list[list[str]]
    notes: list[str]


def lay_out(path: str, records: list[Record], header: str | None, names: Sequence[str] | None) -> Layout:
    """Tell the names of columns from the rows.

    Args:
        path: of the file, for messages.
        records: of the whole file.
        header: "first" if the first record has names, "none" if not, None to infer it.
        names: of all columns, or None for those in the file.

    Raises:
        ValueError: if a record has too few or too many fields, or a name is empty, repeated, or by default a number.
    """
    if not records:
        raise ValueError(f"read_csv: {path} is empty")
    first = [field.strip() for field in records[0].fields]
    told = header == "first"
    header = header or header_of(first, names)
    if header == "first":
        records = records[1:]
    if not records:
        raise ValueError(f"read_csv: {path} has column names but no rows")
    given = list(names) if names is not None else first if header == "first" else None
    if names is None and header == "first":
        if not told:
            check_numbers(path, first)
        return from_first_line(path, first, records)
    width = used_width(records)
    columns = [str(i) for i in range(width)] if given is None else given
    check_widths(path, columns, records)
    check_header(path, columns)
    return Layout(columns, [record.fields for record in records], [])


def header_of(first: Sequence[str], names: Sequence[str] | None) -> str:
    """What a first record has, if nobody says it: names, unless others are given."""
    return "none" if names is not None and list(names) != list(first) else "first"


def from_first_line(path: str, first: list[str], records: list[Record]) -> Layout:
    """The layout of a file whose first line has the names of columns."""
    named = len(first)
    while named and not first[named - 1]:
        named -= 1
    if named < len(first) and used_width(records) <= named:
        first = first[:named]
    if not first:
        raise ValueError(f"read_csv: the first line of {path} has no column names")
    if has_row_names(first, records):
        note = f"the first field of each line of {path} is left out: it is a row name, as R writes it"
        return without_index(path, Layout(first, [record.fields[1:] for record in records], [note]))
    check_widths(path, first, records)
    return without_index(path, Layout(first, [record.fields for record in records], []))


def used_width(records: Sequence[Record]) -> int:
    """The number of fields of the first record, without those at the end that are empty in every record."""
    width = len(records[0].fields)
    while width > 1 and not any("".join(record.fields[width - 1 :]).strip() for record in records):
        width -= 1
    return width


def has_row_names(names: Sequence[str], records: Sequence[Record]) -> bool:
    """Whether every record has one field more than there are names, and the first ones are the row names that R
    writes: different texts, or 1, 2, …, in a later block of a file n, n + 1, …. R writes no name above them."""
    if len(records) < 2 or any(len(record.fields) != len(names) + 1 for record in records):
        return False
    labels = [record.fields[0].strip() for record in records]
    if not any(record.fields[-1].strip() for record in records):  # a delimiter at the end
        return False
    start = int(labels[0]) if labels[0].isdecimal() and len(labels[0]) < 18 else 1
    if labels == [str(i) for i in range(start, start + len(labels))]:
        return True
    return len(set(labels)) == len(labels) and not any(parse_number(label) is not None for label in labels)


def without_index(path: str, layout: Layout) -> Layout:
    """Leave out a row index that pandas or R wrote."""
    names, rows, notes = layout
    places = {name: names.index(name) for name in index_names(names)}
    index = [name for name, place in places.items() if holds_index(name, [row[place] for row in rows])]
    if index and len(index) < len(names):
        kept = [i for i, name in enumerate(names) if name not in index]
        rows = [[row[i] for i in kept] for row in rows]
        names, notes = [names[i] for i in kept], [*notes, *(index_note(path, name) for name in index)]
    check_header(path, names)
    return Layout(names, rows, notes)


def holds_index(name: str, fields: Sequence[str]) -> bool:
    """Whether a column under the name of an index holds one: integers, if the name is that of any unnamed column."""
    return not name.startswith("Unnamed") or all(field.strip().isdigit() for field in fields)


# Checks


def check_widths(path: str, names: Sequence[str], records: Sequence[Record]) -> None:
    """Raise ValueError if a record has too few fields, or too many that are not empty."""
    width = len(names)
    for line, fields in records:
        if len(fields) < width or (len(fields) > width and "".join(fields[width:]).strip()):
            raise ValueError(
                f"read_csv: line {line} of {path} must have {width} fields, one per column, got {len(fields)}"
                f"{preamble_hint(names, fields)}"
            )


def preamble_hint(names: Sequence[str], fields: Sequence[str]) -> str:
    """The option that skips lines in front of the table, if the line taken for the names looks like one of them."""
    mark = next((mark for mark in COMMENTS if names[0].startswith(mark)), None)
    if mark is not None:
        return f"; if lines that start with {mark[0]!r} are comments, pass comment={mark[0]!r}"
    if len(names) == 1 < len(fields):
        return "; if lines come before the table, pass skip_rows, their number"
    return ""


def check_numbers(path: str, names: Sequence[str]) -> None:
    """Raise ValueError if a name is a number, so that the first line may be the first row."""
    for name in names:
        number = parse_number(name)
        if number is not None and math.isfinite(number):
            raise ValueError(
                f"read_csv: the first line of {path} must contain column names, got the number {name!r}; pass "
                "header='none' if it is the first row, or header='first' if these are names"
            )


def are_plain(names: Sequence[str]) -> bool:
    """Whether names need no closer look: they are neither numbers nor empty, repeated or those of a row index."""
    return (
        all(names)
        and len(set(names)) == len(names)
        and not index_names(names)
        and all(parse_number(name) is None for name in names)
    )


def check_header(path: str, names: Sequence[str]) -> None:
    """Raise ValueError if a name is empty or repeated."""
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise ValueError(f"read_csv: column {number} of {path} has no name")
        if name in seen:
            raise ValueError(f"read_csv: duplicate column {name!r} in {path}")
        seen.add(name)
